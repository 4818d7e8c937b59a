"""How large and how deep what comes from outside may be: checked before a parser sees it.

A parser's own limits are not ours: where they are reached depends on its version and on how deep
the caller's stack is, and what it raises then (`RecursionError`, `ValueError`) is caught by nobody.

| input | bytes | levels of [ and { |
|---|---|---|
| hook record in the spool | `spool.directory.MAX_FILE_BYTES` | `HOOK_RECORD_DEPTH` |
| line of the ledger | `ledger.line.MAX_LINE_BYTES` | `RECORD_DEPTH` |
| pruned.json | `PRUNED_BYTES` | `PRUNED_DEPTH` |
| line of a checkpoint file, which may be a log | `CHECKPOINT_LINE_BYTES` | `CHECKPOINT_DEPTH` |
| nsledger.toml | `CONFIGURATION_BYTES` | `CONFIGURATION_DEPTH` |
| word on the control socket | see `relay.handover_protocol` | `CONTROL_WORD_DEPTH` |
| `info` of a verbose status | `INFO_BYTES` | `INFO_DEPTH` |
| event on standard input of `join` | `FOREIGN_EVENT_BYTES` | `FOREIGN_EVENT_DEPTH` |

Numbers have ranges where they are declared: `model.namespaces`, for what the kernel counts.
"""

from __future__ import annotations

import re
from typing import Final

from nsledger.errors import NsledgerError

RECORD_DEPTH: Final = 64
"""A record of nsledger has six; one of a newer version may have more."""
HOOK_RECORD_DEPTH: Final = 16
PRUNED_BYTES: Final = 4096
PRUNED_DEPTH: Final = 4
CHECKPOINT_LINE_BYTES: Final = 1 << 20
"""A checkpoint has 262; a line of an export is one of the ledger."""
CHECKPOINT_DEPTH: Final = RECORD_DEPTH
CONFIGURATION_BYTES: Final = 1 << 18
CONFIGURATION_DEPTH: Final = 16
CONTROL_WORD_DEPTH: Final = 16
INFO_BYTES: Final = 16 << 20
"""gRPC's messages of a runtime are not longer (containerd, `defaults.DefaultMaxRecvMsgSize`)."""
INFO_DEPTH: Final = 64
FOREIGN_EVENT_BYTES: Final = 4 << 20
FOREIGN_EVENT_DEPTH: Final = 128

_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL).sub
_BRACKETS: Final = re.compile(rb"[\[{]+|[\]}]+").finditer


class OutOfBoundsError(NsledgerError):
    """An input that is larger or deeper than anything that belongs there. Nothing parsed it."""

    def __init__(self, *, reason: str, found: int, limit: int, unit: str) -> None:
        super().__init__(f"found {found} {unit}, needed at most {limit}")
        self.reason = reason
        """`too_long` or `too_deep`."""


def check(data: bytes, *, most_bytes: int, depth: int) -> None:
    """Refuse JSON or TOML past these limits.

    Time O(bytes); two counts for what has few brackets, as nearly everything has.

    Raises:
        OutOfBoundsError: it is longer, or nested deeper.
    """
    if len(data) > most_bytes:
        raise OutOfBoundsError(reason="too_long", found=len(data), limit=most_bytes, unit="bytes")
    check_depth(data, depth)


def check_depth(data: bytes, depth: int) -> None:
    """Refuse JSON or TOML that is nested deeper; a bracket in a string is none.

    Raises:
        OutOfBoundsError: it is.
    """
    if data.count(b"[") + data.count(b"{") > depth and (found := _depth_of(data)) > depth:
        raise OutOfBoundsError(reason="too_deep", found=found, limit=depth, unit="levels")


def _depth_of(data: bytes) -> int:
    level = deepest = 0
    for run in _BRACKETS(_TEXT(b"", data)):
        if run[0][:1] in b"[{":
            level += len(run[0])
            deepest = max(deepest, level)
        else:
            level = max(0, level - len(run[0]))
    return deepest
