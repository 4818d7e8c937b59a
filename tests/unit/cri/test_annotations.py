from __future__ import annotations

from nsledger.cri.annotations import container_annotations, pod_annotations
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NamespaceMode,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)


def test_a_pod_tells_what_was_asked_and_what_was_not() -> None:
    requested = RequestedNamespaces(
        net=NamespaceMode.NODE,
        pid=NamespaceMode.CONTAINER,
        ipc=42,
        user=UserNamespaceRequest(mode=NamespaceMode.POD),
    )

    assert pod_annotations("a1", requested) == {
        "nsledger.dev/audit-id": "a1",
        "nsledger.dev/requested.net": "NODE",
        "nsledger.dev/requested.pid": "CONTAINER",
        "nsledger.dev/requested.ipc": "42",
        "nsledger.dev/requested.user": "POD",
    }


def test_a_pod_that_asked_for_nothing_says_absent() -> None:
    annotations = pod_annotations("a1", RequestedNamespaces())

    assert set(annotations.values()) == {"a1", "absent"}
    assert len(annotations) == 5


def test_a_container_tells_for_each_type_what_it_will_join() -> None:
    predicted = {
        **dict.fromkeys(NamespaceType, INHERITED),
        NamespaceType.MNT: NEW,
        NamespaceType.NET: "/proc/4711/ns/net",
    }

    assert container_annotations("a1", predicted) == {
        "nsledger.dev/audit-id": "a1",
        "nsledger.dev/ns.cgroup": "host",
        "nsledger.dev/ns.ipc": "host",
        "nsledger.dev/ns.mnt": "new",
        "nsledger.dev/ns.net": "/proc/4711/ns/net",
        "nsledger.dev/ns.pid": "host",
        "nsledger.dev/ns.time": "host",
        "nsledger.dev/ns.user": "host",
        "nsledger.dev/ns.uts": "host",
    }


def test_what_could_not_be_predicted_is_not_said() -> None:
    assert container_annotations("a1", {NamespaceType.MNT: NEW}) == {
        "nsledger.dev/audit-id": "a1",
        "nsledger.dev/ns.mnt": "new",
    }
