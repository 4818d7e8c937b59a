"""What annotating a CreateContainer costs: a second message appended, or the first re-encoded.

The message is one of a common size: 40 environment variables, 14 mounts, 4 KB. Both ways get its
bytes, and see to it that nobody else's annotation stands under our prefix.
"""

from __future__ import annotations

import json
import timeit
from collections.abc import Callable

from nsledger.cri.annotations import PREFIX, addition_to_create_container, container_annotations
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.watched_requests import decode_create_container
from nsledger.model.namespaces import NEW, NamespaceType
from tests.bench import messages

ANNOTATIONS = container_annotations(
    "0123456789abcdef0123456789abcdef",
    {type_: f"/proc/471100/ns/{type_}" for type_ in NamespaceType} | {NamespaceType.MNT: NEW},
)
ROUNDS, CALLS = 9, 5000


def main() -> None:
    """Print a table, and one JSON object at the end."""
    sent = messages.create_container()
    figures = {
        "message_bytes": len(sent),
        "decode_us": _best_us(lambda: decode_create_container(sent)),
        "append_us": _best_us(
            lambda: sent + addition_to_create_container(sent, ANNOTATIONS, has_sandbox_config=True)
        ),
        "reencode_us": _best_us(lambda: _reencode(sent)),
    }
    for name, figure in figures.items():
        print(f"{name:16} {figure:10.1f}")
    print(json.dumps(figures))


def _reencode(sent: bytes) -> bytes:
    """The other way: into the one message, which could take keys away."""
    request = pb.CreateContainerRequest.FromString(sent)
    for config in (request.config, request.sandbox_config):
        for forged in [key for key in config.annotations if key.startswith(PREFIX)]:
            del config.annotations[forged]
        for key, value in ANNOTATIONS.items():
            config.annotations[key] = value
    return request.SerializeToString()


def _best_us(call: Callable[[], object]) -> float:
    return round(min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6, 2)
