"""A record, read only as far as the index needs it: a third of the time of reading it whole.

Whatever fails to be read here fails in `domain.record` too, so nothing that counts is passed over.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from nsledger.model.events import Ending, Source
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import KernelNumber, ProcessId
from nsledger.model.refs import Attempt

TypeName = Literal["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.namespaces.NamespaceIdentity`."""

    ino: KernelNumber
    ns_id: str | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.namespaces.NamespaceReading`."""

    pid: ProcessId
    namespaces: dict[TypeName, Identity] = {}
    missing: dict[TypeName, str] | None = None


class Pod(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.workload.PodRef`."""

    pod_sandbox_id: str = ""
    k8s_namespace: str = ""
    name: str = ""
    uid: str = ""
    attempt: Attempt = 0


class Container(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.workload.ContainerRef`."""

    container_id: str = ""
    name: str = ""
    attempt: Attempt = 0


class Skimmed(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.record.Record` and the events that are about a pod."""

    seq: int
    prev: str
    time: str
    boot_id: str
    event: str
    source: Source
    ending: Ending | None = None
    still_running: bool = False
    pod: Pod | None = None
    container: Container | None = None
    actual: Reading | None = None
    assigned: dict[TypeName, str] | None = None
    host: Reading | None = None
    hook_time: str = ""
    netns_path: str = ""
    ips: tuple[str, ...] = ()
    host_interfaces: tuple[str, ...] = ()
    audit_id: str = ""
    judgements: msgspec.Raw = msgspec.Raw(b"")
    unobservable: str = ""
    witnessed: bool = False


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What every line of a ledger has."""

    seq: int
    prev: str


skim: Final = msgspec.json.Decoder(Skimmed).decode
opening: Final = msgspec.json.Decoder(Opening).decode

_WRITTEN: Final = len("2026-11-24T00:03:50.123456789Z")
_TO_THE_MINUTE: Final = len("2026-11-24T00:03:")
_BASE: Final = "{}00Z"
_SIXTY: Final = "6"
"""Seconds of two digits from here on are none, by their first."""


class Times:
    """Reads times, many of which are of the minute of the one before, as the daemon writes them."""

    def __init__(self) -> None:
        self._minute = ""
        self._ns = 0

    def ns(self, text: str) -> int:
        """The Unix time, in nanoseconds, of an RFC 3339 time.

        Raises:
            NotAnInstantError: it is none.
        """
        digits = text[17:19] + text[20:29]
        if (
            len(text) != _WRITTEN
            or text[19] != "."
            or text[29] != "Z"
            or not digits.isdecimal()
            or not digits.isascii()
            or digits >= _SIXTY
        ):
            return unix_ns(text)
        if text[:_TO_THE_MINUTE] != self._minute:
            self._ns = unix_ns(_BASE.format(text[:_TO_THE_MINUTE]))
            self._minute = text[:_TO_THE_MINUTE]
        return self._ns + int(digits)  # of nanoseconds, as the seconds stand before nine digits
