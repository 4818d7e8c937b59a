"""What the follow-up worker is given to do, off the kubelet's path: a closed union."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from nsledger.cri.methods import Method
from nsledger.cri.watched_requests import Request
from nsledger.model.events import Event
from nsledger.model.record import Moment


@dataclass(frozen=True, slots=True)
class Learn:
    """The process that this one took over from put it on record, through this one's recorder."""

    event: Event
    at: Moment


@dataclass(frozen=True, slots=True)
class LookUpSandbox:
    """CreateContainer waits, and its sandbox is not known yet: look it up, then let it go on."""

    pod_sandbox_id: str
    then: Callable[[], None]
    """Runs on the follow-up worker's thread: annotates, records and releases the call."""


class Asked(msgspec.Struct, frozen=True):
    """A watched call that was not answered yet."""

    method: Method
    request: Request
    audit_id: str = ""


class FollowUp(msgspec.Struct, frozen=True):
    """The runtime answered a watched call, or the call was cut off."""

    asked: Asked
    answer: bytes | None
    grpc_status: int | None
    """None if the call was reset or its connection closed."""


class Exited(msgspec.Struct, frozen=True):
    """The process of a sandbox or a container has ended."""

    id: str
    at: Moment | None
    """When the kernel said so; None if it had ended before it was watched."""


Job = Learn | LookUpSandbox | FollowUp | Exited
