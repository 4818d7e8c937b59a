"""What containerd and runc really do with a pod's namespaces: what all the rest stands on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from demo.pods import USER_MAPPING, Pod, RunningPod
from nsledger.model.namespaces import NamespaceType
from tests.node.conftest import GENERATIONS, HookedNode, Run

HOST = "/proc/self/ns"
"""This process is in the host's namespaces, as the daemon is."""


def namespaces_at(directory: str) -> dict[str, str]:
    return {type_: os.readlink(f"{directory}/{type_}") for type_ in NamespaceType}


def namespaces_of(pid: int) -> dict[str, str]:
    return namespaces_at(f"/proc/{pid}/ns")


def of_container(node: HookedNode, pod: RunningPod, name: str) -> dict[str, str]:
    return namespaces_of(node.kubelet.container_info(pod.containers[name])["pid"])


def of_sandbox(node: HookedNode, pod: RunningPod) -> dict[str, str]:
    return namespaces_of(node.kubelet.sandbox_info(pod.pod_sandbox_id)["pid"])


def same(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {type_ for type_ in one if one[type_] == other[type_]}


def inherited(node: HookedNode, container_id: str) -> set[str]:
    """The types that the container's spec does not list: the process keeps the runtime's."""
    spec = node.kubelet.container_info(container_id)["runtimeSpec"]
    listed = {entry["type"] for entry in spec["linux"]["namespaces"]}
    return {type_.value for type_ in NamespaceType if type_.oci_name not in listed}


def test_a_plain_pods_containers_share_net_ipc_and_uts(node: HookedNode, run: Run) -> None:
    pod = run(Pod(name="plain", containers=("app", "sidecar")))

    sandbox, host = of_sandbox(node, pod), namespaces_at(HOST)
    app, sidecar = of_container(node, pod, "app"), of_container(node, pod, "sidecar")

    of_the_host = inherited(node, pod.containers["app"])
    assert {"time", "user"} <= of_the_host <= {"time", "user", "cgroup"}
    assert same(app, host) == of_the_host
    assert same(app, sandbox) == {"net", "ipc", "uts"} | of_the_host
    assert same(app, sidecar) == {"net", "ipc", "uts"} | of_the_host


def test_a_shared_process_namespace_is_the_sandboxs(node: HookedNode, run: Run) -> None:
    pod = run(
        Pod(name="shared", containers=("app", "sidecar"), share_process_namespace=True),
    )

    app, sidecar = of_container(node, pod, "app"), of_container(node, pod, "sidecar")

    assert app["pid"] == sidecar["pid"] == of_sandbox(node, pod)["pid"]
    assert app["pid"] != namespaces_at(HOST)["pid"]


def test_a_host_pods_container_is_in_the_hosts_namespaces_but_mnt(
    node: HookedNode, run: Run
) -> None:
    pod = run(Pod(name="host", host_network=True, host_pid=True, host_ipc=True))

    app, host = of_container(node, pod, "app"), namespaces_at(HOST)

    assert {"net", "pid", "ipc", "uts"} <= same(app, host)
    assert app["mnt"] != host["mnt"]


@pytest.mark.parametrize("node", GENERATIONS[1:], indirect=True)
def test_a_user_namespace_is_the_pods_own(node: HookedNode, run: Run) -> None:
    pod = run(Pod(name="user", containers=("app", "sidecar"), host_users=False))

    app, sidecar = of_container(node, pod, "app"), of_container(node, pod, "sidecar")
    pid = node.kubelet.container_info(pod.containers["app"])["pid"]

    assert app["user"] == sidecar["user"] == of_sandbox(node, pod)["user"]
    assert app["user"] != namespaces_at(HOST)["user"]
    assert Path(f"/proc/{pid}/uid_map").read_text().split() == [
        str(USER_MAPPING[key]) for key in ("container_id", "host_id", "length")
    ]


@pytest.mark.parametrize("node", GENERATIONS[:1], indirect=True)
def test_the_first_generation_does_not_claim_user_namespaces(node: HookedNode) -> None:
    assert not node.kubelet.can_make_user_namespaces()


def test_the_hook_sees_the_namespaces_that_the_process_keeps(node: HookedNode, run: Run) -> None:
    pod = run(Pod(name="seen", containers=("app", "sidecar")))

    for name, container_id in pod.containers.items():
        seen = node.seen_by_hook(container_id)
        assert seen is not None
        assert seen["state"]["pid"] == node.kubelet.container_info(container_id)["pid"]
        now = of_container(node, pod, name)
        assert {type_: seen["namespaces"][type_] for type_ in NamespaceType} == now


def test_the_hook_does_not_run_for_the_sandbox(node: HookedNode, run: Run) -> None:
    pod = run(Pod(name="pause"))

    assert node.seen_by_hook(pod.pod_sandbox_id) is None


@pytest.mark.crun
def test_crun_gives_what_runc_gives(node: HookedNode, run: Run) -> None:
    pod = run(Pod(name="crun", containers=("app", "sidecar"), runtime_handler="crun"))

    sandbox, app = of_sandbox(node, pod), of_container(node, pod, "app")

    assert {"net", "ipc", "uts"} <= same(app, sandbox)
    assert not {"pid", "mnt"} & same(app, sandbox)
    seen = node.seen_by_hook(pod.containers["app"])
    assert seen is not None
    assert {type_: seen["namespaces"][type_] for type_ in NamespaceType} == app
