"""A record, read only as far as the index needs it: a third of the time of reading it whole.

Whatever fails to be read here fails in `domain.record` too, so nothing that counts is passed over.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from nsledger.domain.events import Ending, Source

TypeName = Literal["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.namespaces.NamespaceIdentity`."""

    ino: int
    ns_id: str | None = None


class Reading(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.namespaces.NamespaceReading`."""

    pid: int
    namespaces: dict[TypeName, Identity] = {}


class Pod(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.workload.PodRef`."""

    pod_sandbox_id: str = ""
    k8s_namespace: str = ""
    name: str = ""
    uid: str = ""
    attempt: int = 0


class Container(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.workload.ContainerRef`."""

    container_id: str = ""
    name: str = ""
    attempt: int = 0


class Skimmed(msgspec.Struct, frozen=True, gc=False):
    """Of `domain.record.Record` and the events that are about a pod."""

    seq: int
    prev: str
    time: str
    boot_id: str
    event: str
    source: Source
    ending: Ending | None = None
    pod: Pod | None = None
    container: Container | None = None
    actual: Reading | None = None
    assigned: dict[TypeName, str] | None = None
    host: Reading | None = None
    hook_time: str = ""
    netns_path: str = ""
    ips: tuple[str, ...] = ()
    host_interfaces: tuple[str, ...] = ()


class Opening(msgspec.Struct, frozen=True, gc=False):
    """What every line of a ledger has."""

    seq: int
    prev: str


skim: Final = msgspec.json.Decoder(Skimmed).decode
opening: Final = msgspec.json.Decoder(Opening).decode
