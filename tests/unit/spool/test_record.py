from __future__ import annotations

import json

import pytest

from nsledger.model.events import ContainerWitnessed, Source
from nsledger.model.namespaces import IdMapping, NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.spool.directory import RefusedError
from nsledger.spool.hook_record import HookRecord
from tests.unit.spool import hook_files


def parse(**changes: object) -> HookRecord:
    data = json.dumps(hook_files.record(**changes)).encode()
    return HookRecord.parse(data, boot_id=hook_files.BOOT_ID)


def test_a_record_becomes_the_event_that_it_is() -> None:
    assert parse().event() == ContainerWitnessed(
        source=Source.OCI_HOOK,
        audit_id="0011223344556677",
        pod=PodRef(pod_sandbox_id="s1", k8s_namespace="default", name="web-0", uid="uid-1"),
        container=ContainerRef(container_id="c1", name="app"),
        stage="createRuntime",
        status="created",
        assigned={
            NamespaceType.NET: "/proc/4700/ns/net",
            NamespaceType.MNT: "new",
            NamespaceType.USER: "inherited",
        },
        actual=NamespaceReading(
            pid=4711,
            start_ticks=815,
            namespaces={
                NamespaceType.NET: NamespaceIdentity(
                    dev=4, ino=4026532254, ns_id="77", owner_ino=4026531837
                )
            },
            missing={NamespaceType.TIME: "ENOENT"},
            for_children={"pid_for_children": NamespaceIdentity(dev=4, ino=4026532299)},
            uid_map=(IdMapping(0, 100000, 65536),),
            gid_map=(IdMapping(0, 100000, 65536),),
        ),
        engine="containerd",
        hook_time="2023-11-14T22:13:20.123456789Z",
        hook_duration_ns=900_000,
        errors=("namespaces_partial",),
    )


def test_a_foreign_annotation_does_not_get_into_the_event() -> None:
    record = parse(annotations={"example.com/password": "hunter2"})

    assert "hunter2" not in repr(record.event())


def test_a_hook_that_saw_no_process_is_a_witness_of_what_it_did_see() -> None:
    event = parse(pid=None, namespaces={}, missing={"net": "no_pid"}, assigned=None).event()

    assert event.actual is None
    assert event.assigned == {}
    assert event.container.container_id == "c1"


def test_a_hook_that_could_read_nothing_still_says_so() -> None:
    data = b'{"v":1,"time_ns":1,"mono_ns":1,"errors":["state_not_json"]}'

    event = HookRecord.parse(data, boot_id=hook_files.BOOT_ID).event()

    assert event.errors == ("state_not_json",)


def test_a_field_of_a_later_day_is_passed_over() -> None:
    assert parse(cpu_model="fast").event() == parse().event()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        json.dumps(hook_files.record(v=2)).encode(),
    ]
    + [
        json.dumps(hook_files.record(**{field: value})).encode()
        for field, value in {
            "pid": "4711",
            "time_ns": None,
            "namespaces": {"quantum": {"dev": 1, "ino": 1}},
            "assigned": {"net": 7},
            "errors": "none",
        }.items()
    ],
)
def test_what_is_not_format_1_is_refused(data: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        HookRecord.parse(data, boot_id=hook_files.BOOT_ID)

    assert caught.value.reason == "unreadable"


def test_a_record_of_another_boot_is_refused_for_its_inodes_mean_nothing_here() -> None:
    with pytest.raises(RefusedError) as caught:
        parse(boot_id="00000000-0000-0000-0000-000000000000")

    assert caught.value.reason == "other_boot"
