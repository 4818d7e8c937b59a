"""Real processes in namespaces of their own, made by util-linux as a runtime makes them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

_LIMIT_S = 30.0


SLEEP = ("sleep", "600")


@contextlib.contextmanager
def sleeping(under: str = "", program: Sequence[str] = SLEEP) -> Iterator[subprocess.Popen[bytes]]:
    """`program` under a command line such as `unshare --net`, once it is there."""
    name = f"{Path(program[0]).name}\n"
    with subprocess.Popen([*under.split(), *program]) as process:
        try:
            deadline_s = time.monotonic() + _LIMIT_S
            while Path(f"/proc/{process.pid}/comm").read_text() != name:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise AssertionError(f"{under} did not come to {program[0]}")
                time.sleep(0.005)
            yield process
        finally:
            process.kill()
