"""The relay with an interceptor that annotates and records nothing: what annotating alone adds.

python -m tests.bench.annotating_relay LISTEN UPSTREAM
"""

from __future__ import annotations

import secrets
import signal
import sys

from nsledger.auditor.annotation_cache import AnnotationCache, Predictions
from nsledger.auditor.node_state import Known
from nsledger.cri import methods
from nsledger.cri.watched_requests import decode_create_container
from nsledger.relay.h2.calls import Call, HeldCall, Treatment
from nsledger.relay.listener import listen
from nsledger.relay.server import Relay

_SANDBOX = Known(471_100, {}, "io.containerd.runc.v2")


class Annotator:
    """Does on the relay's thread what the daemon's interceptor does there, less the record."""

    def __init__(self) -> None:
        self._annotation_cache = AnnotationCache(Predictions(), cgroup_version=2)

    def treatment(self, path: str) -> Treatment | None:
        """The daemon's own."""
        return methods.treatment(path)

    def request_held(self, call: HeldCall, message: bytes) -> None:
        """Annotate, and let go at once."""
        asked = decode_create_container(message)
        cached = self._annotation_cache.get(
            asked.requested, _SANDBOX, None, privileged=asked.privileged
        )
        call.release(
            cached.annotations.addition_to(
                message, secrets.token_hex(8), has_sandbox_config=asked.has_sandbox_config
            )
        )

    def request_seen(self, call: Call, message: bytes) -> None:
        """Nothing to record."""

    def answered(self, call: Call, message: bytes | None, grpc_status: int | None) -> None:
        """Nothing to record."""

    def overlooked(self, reason: str, path: str | None) -> None:
        """A benchmark in which something is overlooked measures something else."""
        print(f"overlooked: {reason} {path}", file=sys.stderr)


def main(listen_path: str, upstream_path: str) -> None:
    """Relay until SIGTERM."""
    listening = listen(listen_path, upstream_path)
    relay = Relay(listening.sock, upstream_path, Annotator())
    signal.signal(signal.SIGTERM, lambda _number, _frame: relay.stop())
    try:
        relay.run()
    finally:
        listening.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
