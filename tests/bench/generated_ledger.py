"""A ledger of any length, made as fast as one can: `python -m tests.bench.generated_ledger DIR N`.

It holds records of containers that are asked for and stopped, of about half a kilobyte, over and
over, 160 ms apart.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator

from nsledger.ledger.layout import segment_name
from nsledger.ledger.line import GENESIS, link
from nsledger.model.events import (
    ContainerRequested,
    ContainerStopped,
    Event,
    LedgerCreated,
    PodStopped,
    Source,
)
from nsledger.model.namespaces import NamespaceMode, RequestedNamespaces
from nsledger.model.record import Moment, encode
from nsledger.model.refs import ContainerRef, PodRef

SEGMENT_BYTES = 64 << 20
_BATCH = 1000
_START_NS = 1_795_478_630_123_456_789
_APART_NS = 160_000_000
_BOOT_ID = "5f0c1b1e-7a53-4d0e-9b43-0c2a4a9f6f11"


def events(pods: int = 100) -> list[Event]:
    """Three records of each of so many pods with one container."""
    made: list[Event] = []
    for pod in range(pods):
        sandbox_id, container_id = f"{pod:064x}", f"{pod + 4096:064x}"
        of = PodRef(
            pod_sandbox_id=sandbox_id,
            k8s_namespace="production",
            name=f"checkout-7d9f8b6c5-{pod:05x}",
            uid=f"8a1e6f0c-93f2-4b8e-b0a7-{pod:012x}",
        )
        name = ContainerRef(container_id=container_id, name="app", image="registry.local/app:1.2.3")
        asked = RequestedNamespaces(
            net=NamespaceMode.POD, pid=NamespaceMode.CONTAINER, ipc=NamespaceMode.POD
        )
        audit_id = f"{pod:032x}"
        made += [
            ContainerRequested(
                source=Source.CRI_PROXY, audit_id=audit_id, pod=of, container=name, requested=asked
            ),
            ContainerStopped(source=Source.CRI_PROXY, audit_id=audit_id, pod=of, container=name),
            PodStopped(source=Source.CRI_PROXY, audit_id=audit_id, pod=of),
        ]
    return made


def moments() -> Iterator[Moment]:
    """When one record after the other was written."""
    for at_ns in itertools.count(0, _APART_NS):
        yield Moment(time_ns=_START_NS + at_ns, mono_ns=10**9 + at_ns, boot_id=_BOOT_ID)


def write(directory: str, records: int) -> None:
    """A ledger of so many records in a new `directory`, in segments of about `SEGMENT_BYTES`."""
    os.makedirs(directory)
    first = LedgerCreated(source=Source.DAEMON, ledger_id="3f" * 16)
    told = itertools.chain([first], itertools.cycle(events()))
    lines = map(encode, told, moments())
    head = GENESIS
    while head.seq < records:
        with open(os.path.join(directory, segment_name(head.seq + 1)), "wb") as segment:
            while head.seq < records and segment.tell() < SEGMENT_BYTES:
                batch = itertools.islice(lines, min(_BATCH, records - head.seq))
                data, head = link(head, batch)
                segment.write(data)


if __name__ == "__main__":
    write(sys.argv[1], int(sys.argv[2]))
