"""Namespaces of every type, one after the other, as fast as they come: nobody else is ever named.

The kernel gives the inode of a dead namespace to the next one, in some types at once. Here real
processes get real namespaces, the real hook reads them, and a third of the ends go unseen.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from nsledger.index.opening import opened
from nsledger.index.records import Records
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import (
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    Event,
    LedgerCreated,
    Source,
)
from nsledger.model.instants import Period
from nsledger.model.namespaces import NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.model.record import Moment, encode, rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc import host as node
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import NodeClock
from nsledger.query.index_lookup import answer
from nsledger.query.targets import ByInode, ByNamespaceId, Question
from nsledger.spool.inbox import Inbox
from nsledger.state.intervals import Interval
from nsledger.state.ownership import intervals
from tests.integration.hook_runs import child_of, process, run_hook, state_of

ROUNDS = 300
ALL_NEW = ("--mount", "--uts", "--ipc", "--net", "--pid", "--user", "--cgroup", "--time")
OCI_TYPES = [{"type": type_.oci_name} for type_ in NamespaceType]


@dataclass(frozen=True)
class Stay:
    """A process that was in its namespaces at a moment."""

    container_id: str
    at: str
    namespaces: dict[NamespaceType, NamespaceIdentity]


@dataclass
class History:
    """What happened on this node, as events with their moments, and as it was."""

    told: list[tuple[Event, Moment]]
    stays: list[Stay]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three hundred short lives, seen by the hook."""
    directory = tmp_path_factory.mktemp("reuse")
    spool, bundle = directory / "spool", directory / "bundle"
    spool.mkdir()
    bundle.mkdir()
    (bundle / "config.json").write_text(json.dumps({"linux": {"namespaces": OCI_TYPES}}))
    clock = NodeClock(node.boot_id())
    host = read_namespaces(os.getpid())
    history = History([], [])
    started = DaemonStarted(
        source=Source.DAEMON, version="0", pid=1, host=host, host_reference="/proc/self/ns"
    )
    history.told.append((LedgerCreated(source=Source.DAEMON, ledger_id="0" * 32), clock.now()))
    history.told.append((started, clock.now()))
    inbox = Inbox(
        str(spool),
        now=clock.now,
        on_refused=lambda why, name: pytest.fail(why + name),
        on_missed=lambda count: pytest.fail(f"{count} missed"),
    )
    for number in range(ROUNDS):
        _live(history, number, spool=spool, bundle=bundle, inbox=inbox, clock=clock)
    inbox.close()
    return history


def _live(
    history: History,
    number: int,
    *,
    spool: Path,
    bundle: Path,
    inbox: Inbox,
    clock: NodeClock,
) -> None:
    id_ = f"{number:064x}"
    with process("unshare", *ALL_NEW, "--fork", "--map-root-user", "sleep", "60") as parent:
        child = child_of(parent)
        state = state_of(child, id=id_, bundle=str(bundle))
        run = run_hook(state, "--spool", spool, "--stage", "createRuntime")
        assert (run.exit_code, run.stderr) == (0, "")
        (left,) = inbox.take_in()
        # What the hook's state does not tell, for the pod is made up.
        event = replace(left.event, pod=PodRef(pod_sandbox_id=f"5a{number:062x}", name="p"))
        history.told.append((event, clock.now()))
        left.settle(None)
        stay = Stay(id_, rfc3339(clock.now().time_ns), read_namespaces(child).namespaces)
        history.stays.append(stay)
        os.kill(child, signal.SIGKILL)
    subprocess.run(["true"], check=True)  # the kernel frees what has died
    if number % 3:
        stopped = ContainerStopped(
            source=Source.CRI_PROXY, pod=event.pod, container=ContainerRef(container_id=id_)
        )
        history.told.append((stopped, clock.now()))


def without_ids(event: Event) -> Event:
    """The same, as an older kernel would have it."""

    def of_old(reading: NamespaceReading) -> NamespaceReading:
        namespaces = {type_: replace(one, ns_id=None) for type_, one in reading.namespaces.items()}
        return replace(reading, namespaces=namespaces)

    match event:
        case DaemonStarted(host=host):
            return replace(event, host=of_old(host))
        case ContainerWitnessed(actual=NamespaceReading() as actual):
            return replace(event, actual=of_old(actual))
        case _:
            return event


@pytest.mark.root
@pytest.mark.parametrize("ns_ids", [True, False])
def test_three_hundred_namespaces_of_each_type_are_never_taken_for_another(
    history: History, tmp_path: Path, *, ns_ids: bool
) -> None:
    writer = LedgerWriter.open(str(tmp_path))
    writer.append([encode(e if ns_ids else without_ids(e), at) for e, at in history.told])
    writer.close()
    by_inode: dict[int, list[Interval]] = defaultdict(list)
    for one in intervals(Records.without_index(str(tmp_path))):
        by_inode[one.identity.ino].append(one)
    distinct: dict[NamespaceType, set[int]] = {type_: set() for type_ in NamespaceType}

    for stay in history.stays:
        for type_, identity in stay.namespaces.items():
            distinct[type_].add(identity.ino)
            there = Period.moment(stay.at)
            found = [one for one in by_inode[identity.ino] if there.meets(one.since, one.until)]
            assert {(one.type, one.owner.process_id) for one in found} == {
                (type_, stay.container_id)
            }
    with opened(str(tmp_path), cache=None) as index:
        for stay in history.stays[::10]:
            for type_, identity in stay.namespaces.items():
                questions: list[Question] = [ByInode(identity.ino, type_)]
                if ns_ids and identity.ns_id is not None:
                    questions.append(ByNamespaceId(identity.ns_id))
                for question in questions:
                    answered = answer(
                        Records(index.database, index.reached, str(tmp_path)),
                        question,
                        asked="x",
                        period=Period.moment(stay.at),
                    )
                    named = {one.owner.process_id for one in answered.intervals}
                    assert named == {stay.container_id}
    # The kernel did give inodes again, or nothing was shown here.
    assert any(len(inodes) < ROUNDS // 2 for inodes in distinct.values()), distinct
