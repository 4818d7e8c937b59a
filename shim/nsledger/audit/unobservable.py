"""Why the namespaces of a process cannot be read, in words that stand in records."""

from __future__ import annotations

from typing import Final

from nsledger.cri.runtime_types import is_sandboxed
from nsledger.cri.status import ProcessStatus

NO_HOST_PID: Final = "no host pid"
_ENDED: Final = "it had ended"
_SANDBOXED: Final = "sandboxed by "


def why_unobservable(process: ProcessStatus, *, ended: bool) -> str:
    """Why a process cannot be read; empty if it can."""
    if is_sandboxed(process.runtime_type):
        return _SANDBOXED + process.runtime_type
    if process.pid is None:
        return _ENDED if ended else NO_HOST_PID
    return ""


def was_looked_at(unobservable: str) -> bool:
    """Whether a process was read, or is known to have nothing to read; else another look helps."""
    lasting = unobservable in {"", NO_HOST_PID, _ENDED}
    return lasting or unobservable.startswith(_SANDBOXED)
