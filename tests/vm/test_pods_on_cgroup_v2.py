"""Pods on cgroup v2: each container has a cgroup namespace, and the ledger agrees with /proc."""

from __future__ import annotations

import pytest

from nsledger.model.events import ContainerStarted, ContainerWitnessed, PodAssigned
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceReading, NamespaceType
from tests.vm.node import Node, RunningPod

pytestmark = pytest.mark.vm

Pods = dict[str, RunningPod]

_PODS = (
    {"name": "plain", "containers": ["app", "sidecar"]},
    {"name": "shared-pid", "containers": ["app", "sidecar"], "share_process_namespace": True},
    {"name": "host", "host_network": True, "host_pid": True, "host_ipc": True},
    {"name": "own-users", "host_users": False},
    {"name": "privileged", "privileged": True},
)


@pytest.fixture(scope="module")
def pods(installed: Node) -> Pods:
    """One pod of each kind, which run and are on record."""
    started = installed.run_pods(*_PODS)
    ids = {one.id for pod in started.values() for one in pod.containers.values()}
    installed.machine.wait_for(
        "the records of all containers",
        lambda: ids <= {one.container.container_id for one in installed.events(ContainerStarted)},
    )
    return started


@pytest.fixture(scope="module")
def host(installed: Node) -> dict[str, str]:
    """The links of the machine's own namespaces."""
    links = installed.machine.run("sh", "-c", "for one in /proc/1/ns/*; do readlink $one; done")
    return {link.partition(":")[0]: link.strip("[]").partition(":[")[2] for link in links.split()}


def test_each_container_but_a_privileged_one_has_a_cgroup_namespace_of_its_own(
    pods: Pods, host: dict[str, str]
) -> None:
    cgroups = {
        (pod, name): (one.namespaces["cgroup"], one.cgroup_inside)
        for pod, running in pods.items()
        for name, one in running.containers.items()
    }
    shared, inside = cgroups.pop(("privileged", "app"))

    assert str(shared) == host["cgroup"]
    assert inside.startswith("0::/kubepods.slice/")
    assert len({inode for inode, _ in cgroups.values()} - {shared}) == len(cgroups)
    assert {inside for _, inside in cgroups.values()} == {"0::/"}


def test_the_ledger_has_of_each_process_what_its_links_say(installed: Node, pods: Pods) -> None:
    started = {one.container.container_id: one for one in installed.events(ContainerStarted)}
    witnessed = {one.container.container_id: one for one in installed.events(ContainerWitnessed)}
    assigned = {one.pod.pod_sandbox_id: one for one in installed.events(PodAssigned)}

    for pod in pods.values():
        assert inodes(assigned[pod.pod_sandbox_id].actual) == pod.namespaces
        for container in pod.containers.values():
            # The shim after the start, and the hook within it.
            assert inodes(started[container.id].actual) == container.namespaces
            assert inodes(witnessed[container.id].actual) == container.namespaces


def test_no_layer_contradicts_another(installed: Node, pods: Pods) -> None:
    ids = {one.id for pod in pods.values() for one in pod.containers.values()}
    judged = [
        one for one in installed.events(ContainerStarted) if one.container.container_id in ids
    ]

    assert len(judged) == len(ids)
    for event in judged:
        verdicts = {type_: judgement.verdict for type_, judgement in event.judgements.items()}
        assert set(verdicts) == set(NamespaceType)
        assert Verdict.MISMATCH not in verdicts.values()
        assert Verdict.UNOBSERVABLE not in verdicts.values()


def test_a_kernel_without_ids_is_answered_by_inodes(installed: Node, pods: Pods) -> None:
    plain = pods["plain"]
    (assigned,) = (
        one
        for one in installed.events(PodAssigned)
        if one.pod.pod_sandbox_id == plain.pod_sandbox_id
    )

    said = installed.ask("whois", f"net:[{plain.namespaces['net']}]")

    assert assigned.actual is not None
    # Of Linux 6.12 only mount namespaces have an id.
    assert {one.ns_id for one in assigned.actual.namespaces.values()} == {None}
    assert [name for name in ("demo/plain", "sandbox", "app", "sidecar") if name not in said] == []


def test_a_removed_pod_is_on_record_as_removed(installed: Node, pods: Pods) -> None:
    installed.remove_pods()

    assert pods
    assert installed.ask("pods", "-o", "name") == ""


def inodes(reading: NamespaceReading | None) -> dict[str, int]:
    """The inode of each type that was read."""
    assert reading is not None
    return {type_.value: one.ino for type_, one in reading.namespaces.items()}
