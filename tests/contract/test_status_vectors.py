"""Verbose statuses of every runtime generation, captured or by its documented keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.status import (
    ContainerState,
    ContainerStatus,
    SandboxStatus,
    decode_container_status,
    decode_pod_sandbox_status,
)
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    IdMapping,
    NamespaceMode,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)

VECTORS = Path(__file__).parent / "vectors/status"

MAPPING = (IdMapping(container_id=0, host_id=200000, length=65536),)


def assigned(**changes: str) -> AssignedNamespaces:
    """What containerd gives every sandbox, with `changes`."""
    usual = {"pid": NEW, "ipc": NEW, "uts": NEW, "mnt": NEW, "net": NEW}
    return dict.fromkeys(NamespaceType, INHERITED) | {
        NamespaceType(type_): assignment for type_, assignment in (usual | changes).items()
    }


def joining(pid: int, /, **changes: str) -> AssignedNamespaces:
    """What containerd gives a container in the sandbox with process `pid`, with `changes`."""
    joined = {type_: f"/proc/{pid}/ns/{type_}" for type_ in ("net", "ipc", "uts")}
    return assigned(**(joined | changes))


HOST = assigned(pid=INHERITED, ipc=INHERITED, uts=INHERITED, net=INHERITED)
IPS = ("10.99.0.2", "fd00:99::2")
CNI_1_6 = "/var/run/netns/cni-7534c575-85cc-ddcb-215f-33554b7b8e8f"
CNI_2_1 = "/var/run/netns/cni-57c7b710-406d-9d4f-efbe-c8191751a117"
USER_2_1 = (
    "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/"
    "d4c7b7a3b2a5b0c222c2c6a99e72fd231fe3e1f15af4ad20a80fffc711e23cb3/pinned-namespaces/user"
)
CNI_USER_1_6 = "/var/run/netns/cni-ea8f5434-00a0-98f0-97c1-43f00a083f9c"
CNI_USER_2_1 = "/var/run/netns/cni-9363f130-9997-1db7-58bb-e11728fa2929"
CRI_O = assigned(
    net="/var/run/netns/1111", ipc="/var/run/ipcns/1111", uts="/var/run/utsns/1111", cgroup=NEW
)

SANDBOXES: dict[str, tuple[int | None, AssignedNamespaces, str, tuple[str, ...]]] = {
    "containerd-1.6-host-pod": (17207, HOST, "", ()),
    "containerd-1.6-plain-pod": (16846, assigned(net=CNI_1_6), CNI_1_6, IPS),
    # A user namespace was asked for, and 1.6 gave none.
    "containerd-1.6-userns-pod": (
        17366,
        assigned(net=CNI_USER_1_6),
        CNI_USER_1_6,
        ("10.99.0.4", "fd00:99::4"),
    ),
    "containerd-1.7-plain-pod": (
        4711,
        assigned(net="/var/run/netns/cni-1111"),
        "/var/run/netns/cni-1111",
        ("10.99.0.2",),
    ),
    "containerd-1.7-userns-pod": (4711, assigned(user=NEW), "", ("10.99.0.2",)),
    "containerd-2.1-host-pod": (17915, HOST, "", ()),
    "containerd-2.1-plain-pod": (17564, assigned(net=CNI_2_1), CNI_2_1, IPS),
    "containerd-2.1-plain-pod-not-verbose": (None, {}, "", IPS),
    "containerd-2.1-plain-pod-stopped": (None, assigned(net=CNI_2_1), CNI_2_1, ()),
    "containerd-2.1-userns-pod": (
        18074,
        assigned(net=CNI_USER_2_1, user=USER_2_1),
        CNI_USER_2_1,
        ("10.99.0.4", "fd00:99::4"),
    ),
    "containerd-2.1-vm-pod": (None, {}, "/var/run/netns/cni-1111", ("10.99.0.2",)),
    "containerd-2.3-plain-pod": (
        4711,
        assigned(net="/var/run/netns/cni-1111"),
        "/var/run/netns/cni-1111",
        IPS,
    ),
    "containerd-2.3-plain-pod-not-verbose": (None, {}, "", ("10.99.0.2",)),
    "cri-o-plain-pod": (4711, CRI_O, "/var/run/netns/1111", ("10.99.0.2",)),
}

CONTAINERS: dict[str, tuple[int | None, AssignedNamespaces, ContainerState]] = {
    "containerd-1.6-plain-container": (16879, joining(16846), ContainerState.RUNNING),
    "containerd-1.6-plain-container-created": (None, joining(16846), ContainerState.CREATED),
    "containerd-2.1-plain-container": (17594, joining(17564), ContainerState.RUNNING),
    "containerd-2.1-plain-container-created": (None, joining(17564), ContainerState.CREATED),
    "containerd-2.1-shared-container": (
        17772,
        joining(17745, pid="/proc/17745/ns/pid"),
        ContainerState.RUNNING,
    ),
    "containerd-2.1-userns-container": (
        18111,
        joining(18074, user="/proc/18074/ns/user"),
        ContainerState.RUNNING,
    ),
    "cri-o-plain-container": (4712, CRI_O, ContainerState.RUNNING),
}


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def sandbox(name: str) -> SandboxStatus:
    document = load(name)
    answer = pb.PodSandboxStatusResponse()
    json_format.ParseDict(document["status"], answer.status, ignore_unknown_fields=True)
    if document["info"] is not None:
        answer.info["info"] = json.dumps(document["info"])
    return decode_pod_sandbox_status(answer.SerializeToString())


def container(name: str) -> ContainerStatus:
    document = load(name)
    answer = pb.ContainerStatusResponse()
    json_format.ParseDict(document["status"], answer.status, ignore_unknown_fields=True)
    if document["info"] is not None:
        answer.info["info"] = json.dumps(document["info"])
    return decode_container_status(answer.SerializeToString())


def test_every_vector_has_an_expectation() -> None:
    assert {path.stem for path in VECTORS.glob("*.json")} == {*SANDBOXES, *CONTAINERS}


@pytest.mark.parametrize("name", SANDBOXES)
def test_a_sandboxs_process_namespaces_and_addresses_are_read(name: str) -> None:
    pid, expected, netns_path, ips = SANDBOXES[name]

    status = sandbox(name)

    assert status.process.pid == pid
    assert status.process.assigned == expected
    assert status.netns_path == netns_path
    assert status.ips == ips
    assert status.pod.pod_sandbox_id == load(name)["status"]["id"]
    assert status.pod.k8s_namespace == "default"


@pytest.mark.parametrize(
    ("name", "interfaces"),
    [
        ("containerd-1.6-plain-pod", ("cni0", "vethaa387f81")),
        ("containerd-2.1-userns-pod", ("cni0", "veth5f47613f")),
        ("containerd-1.6-host-pod", ()),
        ("containerd-2.1-plain-pod-not-verbose", ()),
        ("cri-o-plain-pod", ()),
    ],
)
def test_a_sandboxs_interfaces_on_the_node_are_read_where_containerd_tells_them(
    name: str, interfaces: tuple[str, ...]
) -> None:
    assert sandbox(name).host_interfaces == interfaces


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_containers_process_and_namespaces_are_read(name: str) -> None:
    pid, expected, state = CONTAINERS[name]

    status = container(name)

    assert status.process.pid == pid
    assert status.process.assigned == expected
    assert status.state == state
    assert status.pod_sandbox_id == load(name)["info"]["sandboxID"]
    assert status.container.name == "app"
    assert status.container.image == "docker.io/local/app:1"


def test_what_a_container_was_asked_for_is_read_where_containerd_repeats_it() -> None:
    pod, own = NamespaceMode.POD, NamespaceMode.CONTAINER
    plain = RequestedNamespaces(net=pod, pid=own, ipc=pod)
    user = UserNamespaceRequest(mode=pod, uids=MAPPING, gids=MAPPING)

    assert container("containerd-1.6-plain-container").requested == plain
    assert container("containerd-2.1-plain-container-created").requested == plain
    assert container("containerd-2.1-shared-container").requested == RequestedNamespaces(
        net=pod, pid=pod, ipc=pod
    )
    assert container("containerd-2.1-userns-container").requested == RequestedNamespaces(
        net=pod, pid=own, ipc=pod, user=user
    )
    assert container("cri-o-plain-container").requested is None


def test_the_mappings_of_a_user_namespace_are_read() -> None:
    of_sandbox = sandbox("containerd-2.1-userns-pod")
    of_container = container("containerd-2.1-userns-container")

    for process in (of_sandbox.process, of_container.process):
        assert (process.uid_mappings, process.gid_mappings) == (MAPPING, MAPPING)
    assert of_sandbox.requested.mode(NamespaceType.USER) is NamespaceMode.POD
    assert sandbox("containerd-1.6-userns-pod").process.uid_mappings == ()


@pytest.mark.parametrize(
    ("name", "handler"),
    [
        ("containerd-1.7-plain-pod", "crun"),
        ("containerd-2.3-plain-pod", "crun"),
        ("containerd-2.1-vm-pod", "kata"),
        ("containerd-2.1-plain-pod", ""),
    ],
)
def test_the_runtime_handler_is_found_wherever_a_generation_tells_it(
    name: str, handler: str
) -> None:
    assert sandbox(name).pod.runtime_handler == handler


@pytest.mark.parametrize("name", [*SANDBOXES, *CONTAINERS])
def test_no_planted_secret_comes_out_of_a_status(name: str) -> None:
    status = sandbox(name) if name in SANDBOXES else container(name)

    assert "planted-secret" not in repr(status)
    assert b"planted-secret" not in msgspec.json.encode(status)


def test_the_captured_vectors_do_hold_secrets() -> None:
    captured = [name for name in CONTAINERS if load(name)["origin"].startswith("captured")]

    for name in captured:
        assert "planted-secret-env" in json.dumps(load(name)["info"])
