"""What an index notes of pods beside their entries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from nsledger.index.builder import Builder
from nsledger.index.records import Records
from nsledger.index.store import Mark, make_quick, make_tables
from nsledger.model.events import ContainerStopped, Source
from nsledger.state import past
from nsledger.state.inspection import inspect
from tests.synthetic_node import NET, SyntheticNode


@pytest.fixture
def node() -> SyntheticNode:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    return node


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as database:
        make_tables(database)
        make_quick(database)
        yield database


def indexed(database: sqlite3.Connection, node: SyntheticNode, tmp_path: Path) -> Records:
    ledger = str(node.write(tmp_path / "ledger"))
    builder = Builder(database, ledger, Mark())
    builder.extend()
    return Records(database, builder.reached, ledger)


def noteworthy(database: sqlite3.Connection) -> list[str]:
    rows = database.execute("SELECT name FROM pod WHERE noteworthy = 1 ORDER BY id")
    return [name for (name,) in rows]


def test_only_pods_that_a_finding_may_be_about_are_noteworthy(
    node: SyntheticNode, database: sqlite3.Connection, tmp_path: Path
) -> None:
    quiet, moved, unhooked = (node.run_pod(name) for name in ("quiet", "moved", "unhooked"))
    node.run_container(quiet, "app")
    node.move(node.run_container(moved, "app"), NET)
    node.run_container(unhooked, "app", hook=False)
    node.run_behind_the_shim(node.run_pod("bypassed"), "app")
    node.stop_pod(quiet)

    records = indexed(database, node, tmp_path)

    assert noteworthy(database) == ["moved", "unhooked", "bypassed"]
    found = inspect(records.findings())
    assert found == inspect(node.decoded())
    assert {one.pod.name for one in found if one.pod is not None} == {
        "moved",
        "unhooked",
        "bypassed",
    }


def test_a_container_that_two_pods_are_told_to_have_brings_both_together(
    node: SyntheticNode, database: sqlite3.Connection, tmp_path: Path
) -> None:
    one, other = node.run_pod("one"), node.run_pod("other")
    container = node.run_container(one, "app")
    node.say(
        ContainerStopped(
            source=Source.CRI_PROXY, pod=node.pods[other], container=node.containers[container][1]
        )
    )

    records = indexed(database, node, tmp_path)
    then = records.past(records.called("other"), at=None)

    whole = past.now(node.decoded()).workloads
    assert set(then.workloads.pods) == {one, other}
    assert then.workloads.pods == whole.pods


def test_a_request_that_led_to_no_pod_is_found_by_its_name(
    node: SyntheticNode, database: sqlite3.Connection, tmp_path: Path
) -> None:
    refused = node.run_pod("refused")
    del node.records[-1]  # what became of it is not on record
    node.pods.pop(refused)
    node.run_pod("fine")

    records = indexed(database, node, tmp_path)

    assert [entry.seq for entry in records.about(["refused"]) if b"refused" in entry.line] == [3]
