"""An index gives the answers of a fold over the whole ledger, however it was made."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nsledger.index.builder import Builder
from nsledger.index.records import Records
from nsledger.index.store import Mark, make_quick, make_tables, mark
from nsledger.model.events import DaemonStarted
from nsledger.model.instants import ALWAYS, Period
from nsledger.model.record import Record
from nsledger.query.index_lookup import answer
from nsledger.query.targets import (
    AnyOf,
    ByAddress,
    ByIdentity,
    ByInode,
    ByInterface,
    ByNamespaceId,
    ByPath,
    ByPid,
    ByProcessId,
    Question,
)
from nsledger.query.whois import find
from nsledger.state.ownership import intervals
from tests.property.eventful_node import eventful_node
from tests.synthetic_node import SyntheticNode


def questions(records: list[Record], chance: random.Random) -> list[Question]:
    """Some of what can be asked about these records, of every kind."""
    inodes, ids, pids, processes = set[int](), set[str](), set[int](), set[str]()
    for record in records:
        event = record.event
        reading = event.host if isinstance(event, DaemonStarted) else getattr(event, "actual", None)
        if reading is not None:
            pids.add(reading.pid)
            inodes.update(one.ino for one in reading.namespaces.values())
            ids.update(one.ns_id for one in reading.namespaces.values() if one.ns_id)
        if (container := getattr(event, "container", None)) is not None:
            processes.add(container.container_id)
        if (pod := getattr(event, "pod", None)) is not None:
            processes.add(pod.pod_sandbox_id)
    seen = sorted(intervals(records), key=lambda one: (one.since, one.type, one.evidence))
    boots = sorted({record.boot_id for record in records})
    return [
        *(ByInode(ino, None) for ino in chance.sample(sorted(inodes), 4)),
        *(ByNamespaceId(ns_id) for ns_id in chance.sample(sorted(ids), min(2, len(ids)))),
        *(
            ByIdentity(chance.choice(boots), one.type, one.identity)
            for one in chance.sample(seen, min(2, len(seen)))
        ),
        *(ByPid(pid) for pid in chance.sample(sorted(pids), min(2, len(pids)))),
        *(
            ByProcessId(id_[: chance.choice([9, 30, 64])])
            for id_ in chance.sample(sorted(processes - {""}), min(3, len(processes - {""})))
        ),
        ByAddress(f"10.88.0.{chance.randrange(2, 9)}"),
        ByInterface(f"veth{chance.randrange(1, 9):08x}"),
        ByPath(f"/run/netns/cni-{chance.randrange(1, 9):08x}"),
        AnyOf(chance.choice(sorted(inodes | pids))),
    ]


def periods(records: list[Record], chance: random.Random) -> list[Period]:
    """All of the time, a moment, and spans with one end and with two."""
    one, other, moment = (chance.choice(records).time for _ in range(3))
    return [
        ALWAYS,
        Period.moment(moment),
        chance.choice([Period(min(one, other), max(one, other)), Period(one), Period(None, one)]),
    ]


def index_in_steps(
    database: sqlite3.Connection, node: SyntheticNode, ledger: Path, chance: random.Random
) -> Mark:
    """Write the ledger and an index of it, by and by; its last entries may not be in the index."""
    records, reached = node.records, Mark()
    ends = {chance.randrange(1, len(records) + 1) for _ in range(chance.randrange(1, 4))}
    for end in sorted(ends):
        node.records = records[:end]
        node.write(ledger)
        builder = Builder(database, str(ledger), reached)
        builder.extend(batch=chance.choice([1, 3, 1000]))
        reached = builder.reached
    node.records = records
    node.write(ledger)
    return reached


# Two containers of a pod: the later has an inode of the earlier, and another of its was asked for.
@example(seed=22618, ns_ids=False)
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 2**32), ns_ids=st.booleans())
def test_an_index_answers_like_a_fold_over_the_ledger(seed: int, *, ns_ids: bool) -> None:
    chance = random.Random(seed)
    node = eventful_node(chance, ns_ids=ns_ids)
    with (
        tempfile.TemporaryDirectory(prefix="nsl-") as directory,
        contextlib.closing(sqlite3.connect(":memory:")) as database,
    ):
        ledger = Path(directory) / "ledger"
        make_tables(database)
        make_quick(database)

        reached = index_in_steps(database, node, ledger, chance)

        assert mark(database) == reached
        records = node.decoded()
        for question in questions(records, chance):
            for period in periods(records, chance):
                folded = find(records, question, asked="x", period=period)
                assert folded == answer(
                    Records(database, reached, str(ledger)), question, asked="x", period=period
                ), f"{question} {period}"
