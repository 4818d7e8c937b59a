from __future__ import annotations

import msgspec
import pytest

from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    IdMapping,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
    assigned_by_oci,
)

NET, PID = NamespaceType.NET, NamespaceType.PID


def test_an_oci_spec_calls_two_types_by_other_names() -> None:
    others = {type_: type_.oci_name for type_ in NamespaceType if type_.oci_name != type_}

    assert others == {NamespaceType.NET: "network", NamespaceType.MNT: "mount"}
    assert all(NamespaceType.of_oci_name(type_.oci_name) is type_ for type_ in NamespaceType)


def test_what_an_oci_spec_does_not_list_is_inherited_and_what_has_no_path_is_new() -> None:
    assigned = assigned_by_oci([("pid", ""), ("network", "/proc/7/ns/net"), ("of-2031", "")])

    assert assigned.pop(PID) == NEW
    assert assigned.pop(NET) == "/proc/7/ns/net"
    assert set(assigned.values()) == {INHERITED}
    assert len(assigned) == len(NamespaceType) - 2


@pytest.mark.parametrize("type_", ["mnt", "uts", "cgroup", "time"])
def test_cri_can_ask_for_four_types_only(type_: str) -> None:
    requested = RequestedNamespaces(
        net=NamespaceMode.NODE,
        pid=NamespaceMode.NODE,
        ipc=NamespaceMode.NODE,
        user=UserNamespaceRequest(NamespaceMode.NODE),
    )

    assert requested.mode(NamespaceType(type_)) is None
    assert requested.mode(NamespaceType.USER) is NamespaceMode.NODE


def test_an_absent_mode_is_not_pod() -> None:
    assert all(RequestedNamespaces().mode(type_) is None for type_ in NamespaceType)


def test_a_reused_inode_is_another_namespace_if_the_kernel_gives_ids() -> None:
    old = NamespaceIdentity(dev=4, ino=4026532254, ns_id="9007199254740993")
    new = NamespaceIdentity(dev=4, ino=4026532254, ns_id="9007199254740995")

    assert not old.same_as(new)
    assert old.same_as(NamespaceIdentity(dev=4, ino=4026532254))
    assert not old.same_as(NamespaceIdentity(dev=5, ino=4026532254))


def test_one_namespace_is_the_same_whatever_was_read_of_its_owner() -> None:
    assert NamespaceIdentity(dev=4, ino=7, owner_ino=1).same_as(NamespaceIdentity(dev=4, ino=7))


def test_a_namespace_that_changed_is_told_from_one_that_was_not_read_again() -> None:
    one, other = NamespaceIdentity(dev=4, ino=1), NamespaceIdentity(dev=4, ino=2)
    earlier = NamespaceReading(pid=7, namespaces={NET: one, PID: one})
    later = NamespaceReading(pid=7, namespaces={NET: other}, missing={PID: "EACCES"})

    assert later.changed_since(earlier) == (NET,)
    assert earlier.changed_since(later) == (NET,)
    assert earlier.changed_since(earlier) == ()


def test_a_reading_is_complete_only_with_all_eight_types() -> None:
    eight = {type_: NamespaceIdentity(dev=4, ino=1) for type_ in NamespaceType}

    assert NamespaceReading(pid=7, namespaces=eight).complete
    assert not NamespaceReading(pid=7, namespaces={NET: eight[NET]}).complete
    assert not NamespaceReading(pid=7, namespaces=eight, missing={PID: "changed"}).complete


def test_a_mapping_is_three_numbers_in_the_order_of_the_kernels_file() -> None:
    assert msgspec.json.encode(IdMapping(0, 100000, 65536)) == b"[0,100000,65536]"
