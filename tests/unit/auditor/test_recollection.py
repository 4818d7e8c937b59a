from __future__ import annotations

import os
from pathlib import Path

from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import ContainerStarted, ContainerWitnessed, Gap, PodAssigned, Source
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from tests.unit.auditor.listing_runtime import ListingRuntime, adopt, until
from tests.unit.auditor.node_in_a_box import Box, box

NEVER_AGAIN_S = 3600.0


def began(node: Box) -> None:
    until(lambda: node.reconciliation.rounds == 1)


def test_a_new_daemon_has_the_picture_of_the_one_before(tmp_path: Path) -> None:
    with box(tmp_path) as before:
        adopt(before, actual=read_namespaces(os.getpid()))
    with box(tmp_path, reconcile_interval_s=NEVER_AGAIN_S) as node:
        began(node)

        assert node.node_state.refs("c1")[0].full_name == "shop/pod-s1"
        assert {id_: known.pid for id_, known in node.node_state.known.items()} == {
            "s1": os.getpid(),
            "c1": os.getpid(),
        }


def test_what_could_not_be_looked_at_before_is_not_taken_for_known(tmp_path: Path) -> None:
    pod = PodRef(pod_sandbox_id="s1")
    late = "PodSandboxStatus: the runtime answered UNAVAILABLE"
    with box(tmp_path) as before:
        before.node_state.record(PodAssigned(source=Source.CRI_PROXY, pod=pod, unobservable=late))
        before.node_state.record(
            ContainerStarted(
                source=Source.CRI_PROXY,
                pod=pod,
                container=ContainerRef(container_id="c1"),
                unobservable=late,
            )
        )
    with box(tmp_path, runtime=ListingRuntime(), reconcile_interval_s=NEVER_AGAIN_S) as node:
        until(lambda: "s1" in node.node_state.workloads.pods or node.reconciliation.rounds == 1)

        assert not node.node_state.known


def test_a_hook_record_that_is_in_the_ledger_already_is_known_again(tmp_path: Path) -> None:
    witnessed = ContainerWitnessed(
        source=Source.OCI_HOOK,
        pod=PodRef(pod_sandbox_id="s1"),
        container=ContainerRef(container_id="c1"),
        stage="createRuntime",
        hook_time="2026-11-24T00:00:00Z",
    )
    with box(tmp_path) as before:
        before.node_state.record(witnessed)
    with box(tmp_path, reconcile_interval_s=NEVER_AGAIN_S) as node:
        began(node)

        assert ("c1", None, None, witnessed.hook_time) in node.spool._known


def test_a_ledger_that_cannot_be_read_is_a_gap_and_the_daemon_goes_on(tmp_path: Path) -> None:
    writer = LedgerWriter.open(str(tmp_path / "ledger"))
    writer.append([b'{"no":"record"}'])
    writer.close()
    with box(tmp_path, reconcile_interval_s=NEVER_AGAIN_S) as node:
        began(node)
        on_record = [node_event for node_event in node.finish() if isinstance(node_event, Gap)]

    assert [(gap.reason, gap.detail) for gap in on_record] == [
        ("not_recollected", "UnreadableRecordError")
    ]
