"""The main job on real containerd: what the ledger says is what the kernel says.

Every pod here is run by a CRI client through `nsledger serve`, with nsledger's hook in the starts.
"""

from __future__ import annotations

import json
import os

import grpc
import pytest

from demo.cri import Client
from demo.pods import Pod, RunningPod
from nsledger.model.events import (
    CallFailed,
    ContainerRequested,
    ContainerStarted,
    ContainerWitnessed,
    DaemonStopped,
    Gap,
    PodAssigned,
    PodRemoved,
    PodRequested,
)
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceReading, NamespaceType
from tests.node.conftest import GENERATIONS, AuditedNode, Run, audited_node

PLANTED = "planted-7f3a"
"""Begins every secret that these tests hide in what a kubelet sends."""

PODS = [
    Pod(name="plain", containers=("app", "sidecar")),
    Pod(name="shared", containers=("app", "sidecar"), share_process_namespace=True),
    Pod(name="host", host_network=True, host_pid=True, host_ipc=True),
]
USER_POD = Pod(name="user", containers=("app", "sidecar"), host_users=False)

every_pod = pytest.mark.parametrize("pod", PODS, ids=lambda pod: pod.name)


def links_of(pid: int) -> dict[NamespaceType, str]:
    return {type_: os.readlink(f"/proc/{pid}/ns/{type_}") for type_ in NamespaceType}


def as_links(reading: NamespaceReading | None) -> dict[NamespaceType, str]:
    assert reading is not None
    assert reading.complete
    return {type_: f"{type_}:[{found.ino}]" for type_, found in reading.namespaces.items()}


def assert_the_ledger_says_what_the_kernel_says(audited: AuditedNode, running: RunningPod) -> None:
    sandbox_pid = audited.kubelet.sandbox_info(running.pod_sandbox_id)["pid"]
    assigned = audited.event(PodAssigned, running.pod_sandbox_id)
    assert as_links(assigned.actual) == links_of(sandbox_pid)
    for container_id in running.containers.values():
        pid = audited.kubelet.container_info(container_id)["pid"]
        started = audited.event(ContainerStarted, container_id)
        assert as_links(started.actual) == links_of(pid)
        assert started.actual is not None
        assert started.actual.pid == pid


def assert_all_layers_agree(audited: AuditedNode, running: RunningPod) -> None:
    sandbox = audited.event(PodAssigned, running.pod_sandbox_id)
    started = [audited.event(ContainerStarted, id_) for id_ in running.containers.values()]
    for judgements in [sandbox.judgements, *(event.judgements for event in started)]:
        assert set(judgements) == set(NamespaceType)
        verdicts = {type_: judgement.verdict for type_, judgement in judgements.items()}
        assert set(verdicts.values()) <= {Verdict.MATCH, Verdict.NOT_REQUESTED}, verdicts


def owners(audited: AuditedNode, namespace: str) -> set[str]:
    """The names of the pods whose the namespace is, or was."""
    answer = json.loads(audited.shim.ask("whois", namespace, "-o", "json"))
    return {interval["owner"]["pod"]["name"] for interval in answer["intervals"]}


@every_pod
def test_the_ledgers_inodes_are_the_kernels(
    audited: AuditedNode, run_audited: Run, pod: Pod
) -> None:
    running = run_audited(pod)

    assert_the_ledger_says_what_the_kernel_says(audited, running)
    assert_all_layers_agree(audited, running)


@pytest.mark.parametrize("audited", GENERATIONS[1:], indirect=True)
def test_the_ledgers_inodes_are_the_kernels_in_user_namespaces_too(
    audited: AuditedNode, run_audited: Run
) -> None:
    running = run_audited(USER_POD)

    assert_the_ledger_says_what_the_kernel_says(audited, running)
    assert_all_layers_agree(audited, running)


@every_pod
def test_the_hooks_record_joins_the_shims_by_container_id(
    audited: AuditedNode, run_audited: Run, pod: Pod
) -> None:
    running = run_audited(pod)

    for name, container_id in running.containers.items():
        witnessed = audited.event(ContainerWitnessed, container_id)
        started = audited.event(ContainerStarted, container_id)
        assert started.witnessed
        assert as_links(witnessed.actual) == as_links(started.actual)
        assert witnessed.container.name == started.container.name == name
        assert witnessed.pod.pod_sandbox_id == started.pod.pod_sandbox_id == running.pod_sandbox_id
        assert witnessed.errors == ()


@pytest.mark.crun
def test_crun_runs_the_hook_as_runc_does(audited: AuditedNode, run_audited: Run) -> None:
    running = run_audited(Pod(name="crun", runtime_handler="crun"))

    witnessed = audited.event(ContainerWitnessed, running.containers["app"])
    started = audited.event(ContainerStarted, running.containers["app"])
    assert as_links(witnessed.actual) == as_links(started.actual)
    assert_all_layers_agree(audited, running)


def test_a_start_without_the_hook_is_on_record_as_not_witnessed(
    audited: AuditedNode, run_audited: Run
) -> None:
    running = run_audited(Pod(name="unhooked", runtime_handler="unhooked"))

    started = audited.event(ContainerStarted, running.containers["app"])

    assert not started.witnessed
    assert_the_ledger_says_what_the_kernel_says(audited, running)


@every_pod
def test_the_annotations_are_in_the_runtimes_spec(
    audited: AuditedNode, run_audited: Run, pod: Pod
) -> None:
    running = run_audited(pod)
    sandbox = audited.kubelet.sandbox_info(running.pod_sandbox_id)["runtimeSpec"]["annotations"]
    requests = [
        record.event
        for record in audited.shim.records()
        if isinstance(record.event, PodRequested | ContainerRequested)
    ]
    options = pod.namespace_options

    by_id = {event.audit_id: event for event in requests}
    assert by_id[sandbox["nsledger.dev/audit-id"]].pod.name == pod.name
    asked = {t: sandbox[f"nsledger.dev/requested.{t}"] for t in ("net", "pid", "ipc", "user")}
    assert asked == {
        "net": options["network"],
        "pid": options["pid"],
        "ipc": options["ipc"],
        "user": "absent",
    }
    for container_id in running.containers.values():
        spec = audited.kubelet.container_info(container_id)["runtimeSpec"]
        joined = {
            entry["type"]: entry.get("path") or "new" for entry in spec["linux"]["namespaces"]
        }
        request = by_id[spec["annotations"]["nsledger.dev/audit-id"]]
        assert isinstance(request, ContainerRequested)
        for type_ in NamespaceType:
            assert spec["annotations"][f"nsledger.dev/ns.{type_}"] == joined.get(
                type_.oci_name, "host"
            )


def test_no_secret_is_in_ledger_spool_or_logs(audited: AuditedNode, run_audited: Run) -> None:
    running = run_audited(
        Pod(name="secrets", containers=(), annotations={"example.com/token": f"{PLANTED}-pod"})
    )
    container_id = audited.kubelet.start(
        running,
        "app",
        envs=[{"key": "TOKEN", "value": f"{PLANTED}-env"}],
        args=[f"{PLANTED}-arg"],
        labels={"token": f"{PLANTED}-label"},
        annotations={"example.com/token": f"{PLANTED}-container"},
    )
    with pytest.raises(grpc.RpcError, match=PLANTED):
        # runc quotes the command in its error, and the kubelet gets to read it.
        audited.kubelet.start(running, "fails", command=[f"/{PLANTED}-command"])
    audited.shim.wait_for(
        "the failure on record",
        lambda records: any(isinstance(record.event, CallFailed) for record in records),
    )

    assert f"{PLANTED}-env" in audited.kubelet.run_inside(container_id, "env")
    audited.event(ContainerStarted, container_id)
    paths = audited.shim.paths
    files = [paths.log, *paths.ledger.rglob("*"), *paths.spool.rglob("*")]
    read = {file: file.read_text(errors="replace") for file in files if file.is_file()}
    assert container_id in "".join(read.values())
    assert [file for file, text in read.items() if PLANTED in text or "TOKEN" in text] == []


def test_nothing_was_missed_and_the_chain_is_sound(audited: AuditedNode, run_audited: Run) -> None:
    running = run_audited(Pod(name="last"))
    audited.event(ContainerStarted, running.containers["app"])

    verified = audited.shim.ask("verify")

    assert "sound" in verified
    assert [r.event for r in audited.shim.records() if isinstance(r.event, Gap)] == []


def test_show_and_whois_name_the_pod_of_an_inode(audited: AuditedNode, run_audited: Run) -> None:
    running = run_audited(Pod(name="asked"))
    audited.event(ContainerStarted, running.containers["app"])
    network = audited.kubelet.namespace(running.containers["app"], "net")

    assert network.removeprefix("net:[").rstrip("]") in audited.shim.ask("show", "demo/asked")
    assert "asked" in owners(audited, network)


def test_a_removed_pod_is_closed_in_the_ledger(audited: AuditedNode) -> None:
    running = audited.kubelet.run(Pod(name="gone"))
    network = audited.kubelet.namespace(running.containers["app"], "net")

    audited.kubelet.remove(running)

    audited.shim.wait_for(
        "pod.removed",
        lambda records: any(
            isinstance(record.event, PodRemoved)
            and record.event.pod.pod_sandbox_id == running.pod_sandbox_id
            for record in records
        ),
    )
    assert "gone" in owners(audited, network)


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_killed_daemon_goes_on_with_the_same_ledger(generation: int) -> None:
    with audited_node(generation) as audited:
        before = audited.kubelet.run(Pod(name="before"))
        audited.event(ContainerStarted, before.containers["app"])

        audited.shim.kill()
        audited.shim.start()

        with Client(audited.shim.paths.socket) as client:
            after = audited.node.kubelet(client).run(Pod(name="after"))
        audited.event(ContainerStarted, after.containers["app"])
        assert len(audited.events(ContainerStarted, before.containers["app"])) == 1
        assert "sound" in audited.shim.ask("verify")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_daemon_that_is_asked_to_end_says_so_last(generation: int) -> None:
    with audited_node(generation) as audited:
        audited.kubelet.run(Pod(name="short"))

        audited.shim.stop()

        *_, last = audited.shim.records()
        assert isinstance(last.event, DaemonStopped)
        assert "sound" in audited.shim.ask("verify")
