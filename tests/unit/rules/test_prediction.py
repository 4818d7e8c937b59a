from __future__ import annotations

import pytest

from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NamespaceMode,
    NamespaceType,
    RequestedMode,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.rules.prediction import predict

USER_NAMESPACE = RequestedNamespaces(
    pid=NamespaceMode.CONTAINER, user=UserNamespaceRequest(mode=NamespaceMode.POD)
)


def test_an_ordinary_container_joins_three_namespaces_of_its_sandbox() -> None:
    requested = RequestedNamespaces(
        net=NamespaceMode.POD, pid=NamespaceMode.CONTAINER, ipc=NamespaceMode.POD
    )

    assert predict(requested, sandbox_pid=4711, target_pid=99, cgroup_version=2) == {
        NamespaceType.CGROUP: NEW,
        NamespaceType.IPC: "/proc/4711/ns/ipc",
        NamespaceType.MNT: NEW,
        NamespaceType.NET: "/proc/4711/ns/net",
        NamespaceType.PID: NEW,
        NamespaceType.TIME: INHERITED,
        NamespaceType.USER: INHERITED,
        NamespaceType.UTS: "/proc/4711/ns/uts",
    }


def test_host_modes_join_the_sandboxs_namespaces_which_are_the_hosts() -> None:
    requested = RequestedNamespaces(
        net=NamespaceMode.NODE, pid=NamespaceMode.NODE, ipc=NamespaceMode.NODE
    )

    predicted = predict(requested, sandbox_pid=4711, target_pid=99, cgroup_version=2)

    for type_ in (NamespaceType.NET, NamespaceType.PID, NamespaceType.IPC, NamespaceType.UTS):
        assert predicted[type_] == f"/proc/4711/ns/{type_}"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (NamespaceMode.CONTAINER, NEW),
        (NamespaceMode.POD, "/proc/4711/ns/pid"),
        (NamespaceMode.NODE, "/proc/4711/ns/pid"),
        (NamespaceMode.TARGET, "/proc/99/ns/pid"),
        (None, "/proc/4711/ns/pid"),
        (42, None),
    ],
)
def test_the_pid_namespace_follows_its_mode(
    mode: RequestedMode | None, expected: str | None
) -> None:
    predicted = predict(RequestedNamespaces(pid=mode), sandbox_pid=4711, target_pid=99)

    assert predicted.get(NamespaceType.PID) == expected


def test_a_target_that_is_not_known_is_not_guessed() -> None:
    requested = RequestedNamespaces(pid=NamespaceMode.TARGET, target_id="c0")

    predicted = predict(requested, sandbox_pid=4711)

    assert NamespaceType.PID not in predicted


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (NamespaceMode.POD, "/proc/4711/ns/user"),
        (NamespaceMode.NODE, INHERITED),
        (NamespaceMode.CONTAINER, None),
        (42, None),
    ],
)
def test_the_user_namespace_follows_its_mode(mode: RequestedMode, expected: str | None) -> None:
    requested = RequestedNamespaces(user=UserNamespaceRequest(mode=mode))

    predicted = predict(requested, sandbox_pid=4711, target_pid=99, cgroup_version=2)

    assert predicted.get(NamespaceType.USER) == expected


def test_a_runtime_that_gave_the_sandbox_no_user_namespace_gives_its_containers_none() -> None:
    """Containerd 1.6 passes over what it does not know."""
    predicted = predict(
        USER_NAMESPACE, sandbox_pid=4711, sandbox_assigned={NamespaceType.USER: INHERITED}
    )

    assert predicted[NamespaceType.USER] == INHERITED


@pytest.mark.parametrize(
    ("version", "privileged", "expected"),
    [
        (2, False, NEW),
        (2, True, INHERITED),
        (1, False, INHERITED),
        (0, True, INHERITED),
        (0, False, None),
    ],
)
def test_a_cgroup_namespace_is_for_cgroup_2_without_privileges(
    version: int, *, privileged: bool, expected: str | None
) -> None:
    predicted = predict(
        RequestedNamespaces(), sandbox_pid=None, privileged=privileged, cgroup_version=version
    )

    assert predicted.get(NamespaceType.CGROUP) == expected


@pytest.mark.parametrize("pid", [None, 0])
def test_without_a_sandbox_process_only_the_certain_is_said(pid: int | None) -> None:
    assert predict(USER_NAMESPACE, sandbox_pid=pid, cgroup_version=2) == {
        NamespaceType.CGROUP: NEW,
        NamespaceType.MNT: NEW,
        NamespaceType.PID: NEW,
        NamespaceType.TIME: INHERITED,
    }
