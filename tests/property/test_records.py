"""Every command's answer from selected records is the one of a fold over the whole ledger."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import tempfile
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nsledger.index import telling
from nsledger.index.records import Records
from nsledger.index.store import make_quick, make_tables
from nsledger.ledger.reader import entries
from nsledger.model.record import Record, decode
from nsledger.query.history import History, history_of
from nsledger.state import past
from nsledger.state.inspection import inspect
from nsledger.state.matrix import Matrix, pod_matrix
from nsledger.state.past import NothingYetError, Past
from nsledger.state.pods import AmbiguousPodError, UnknownPodError, Workloads, find_pod
from tests.property.eventful_node import eventful_node
from tests.property.test_index import index_in_steps


def moments(records: list[Record], chance: random.Random) -> list[str | None]:
    return [None, *(chance.choice(records).time for _ in range(3))]


def folded(records: list[Record], at: str | None) -> Past | None:
    if at is None:
        return past.now(records)
    try:
        last_seq = past.last_seq_at(reversed(records), at)
        return past.as_of(records, at=at, last_seq=last_seq)
    except NothingYetError:
        return None


def selected(records: Records, rows: set[int], at: str | None) -> Past | None:
    try:
        return records.past(rows, at=at)
    except NothingYetError:
        return None


def matrices(then: Past | None, *, ended: bool) -> list[Matrix]:
    if then is None:
        return []
    made = [
        pod_matrix(
            pod, then.workloads.host, all_attempts=True, at=then.at, unwatched=then.unwatched
        )
        for id_, pod in then.workloads.pods.items()
        if id_
    ]
    return [one for one in made if ended or one.state != "ended"]


def meant(then: Past | None, asked: str) -> str:
    if then is None:
        return "nothing yet"
    try:
        return find_pod(then.workloads, asked).ref.pod_sandbox_id
    except (UnknownPodError, AmbiguousPodError) as error:
        return type(error).__name__


def names(records: list[Record], chance: random.Random) -> list[str]:
    found = {"nobody", "default/nobody"}
    for record in records:
        pod = getattr(record.event, "pod", None)
        container = getattr(record.event, "container", None)
        if pod is not None:
            found |= {pod.name, pod.full_name, pod.uid, pod.pod_sandbox_id[:5]}
        if container is not None:
            found |= {container.container_id[:40], container.container_id[:4]}
    return chance.sample(sorted(found - {""}), min(8, len(found - {""})))


def assert_same_history(records: Records, all_: list[Record], chance: random.Random) -> None:
    ids = [id_ for id_ in past.now(all_).workloads.pods if id_]
    some = chance.sample(ids, min(2, len(ids)))
    last_seq = chance.choice([all_[-1].seq, chance.choice(all_).seq])
    whole, ours = History(some), history_of(records, some, last_seq=last_seq)
    for record in all_:
        if record.seq <= last_seq:
            whole.apply(record)
    assert list(ours.spans()) == list(whole.spans())
    assert ours.findings() == whole.findings()
    for name in ("node", "ledger_id", "boot_id", "first", "last", "holes"):
        assert getattr(ours, name) == getattr(whole, name), name


def assert_same_restart(records: Records, all_: list[Record], ledger: Path) -> None:
    """What a daemon knows when it starts, and which late records it takes for such."""
    before_seq = all_[-1].seq
    lines = [one.line for one in entries(str(ledger)) if one.seq < before_seq]
    whole, ours = Workloads(), Workloads()
    for workloads, told in ((whole, lines), (ours, records.restored(before_seq))):
        for line in told:
            workloads.apply_record(decode(line))
        workloads.forget_removed()
    assert ours.host == whole.host
    assert ours.pods == whole.pods
    assert ours._forgotten.keys() == whole._forgotten.keys()


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(seed=st.integers(0, 2**32), ns_ids=st.booleans())
def test_selected_records_answer_like_all_records(seed: int, *, ns_ids: bool) -> None:
    chance = random.Random(seed)
    node = eventful_node(chance, ns_ids=ns_ids)
    with (
        tempfile.TemporaryDirectory(prefix="nsl-") as directory,
        contextlib.closing(sqlite3.connect(":memory:")) as database,
    ):
        ledger = Path(directory) / "ledger"
        make_tables(database)
        make_quick(database)
        with mock.patch.object(telling, "PERIOD", chance.choice([2, 7, 4096])):
            reached = index_in_steps(database, node, ledger, chance)

        all_ = node.decoded()
        records = Records(database, reached, str(ledger))
        assert [one.seq for one in records.everything()] == [one.seq for one in all_]
        for at in moments(all_, chance):
            whole = folded(all_, at)
            last_seq = None if whole is None or at is None else whole.last_seq
            if whole is not None:
                assert whole.last_seq == (
                    records.last_seq if at is None else records.last_seq_at(at)
                )
            there = selected(records, records.there(last_seq), at)
            assert matrices(there, ended=False) == matrices(whole, ended=False), at
            ever = selected(records, records.ever(), at)
            assert matrices(ever, ended=True) == matrices(whole, ended=True), at
            for asked in names(all_, chance):
                then = selected(records, records.called(asked), at)
                found = meant(whole, asked)
                assert meant(then, asked) == found, f"{asked} {at}"
                if whole is not None and then is not None and found in whole.workloads.pods:
                    one, other = (
                        pod_matrix(
                            past_.workloads.pods[found],
                            past_.workloads.host,
                            all_attempts=True,
                            at=at,
                            unwatched=past_.unwatched,
                        )
                        for past_ in (whole, then)
                    )
                    assert one == other, f"{asked} {at}"
        assert inspect(records.findings()) == inspect(all_)
        assert_same_history(records, all_, chance)
        assert_same_restart(records, all_, ledger)
