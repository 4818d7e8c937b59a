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


CRIO_NOTES = {
    "io.container.manager": "cri-o",
    "io.kubernetes.container.name": "app",
    "io.kubernetes.cri-o.ContainerType": "container",
    "io.kubernetes.cri-o.Metadata": '{"name":"app","attempt":3}',
    "io.kubernetes.cri-o.SandboxID": "s1",
    "io.kubernetes.pod.name": "web-0",
    "io.kubernetes.pod.namespace": "default",
    "io.kubernetes.pod.uid": "uid-1",
}


def test_crios_annotations_name_the_pod_and_the_container() -> None:
    event = parse(annotations=CRIO_NOTES, bundle="/run/containers/storage/c1").event()

    assert event.pod == PodRef(
        pod_sandbox_id="s1", k8s_namespace="default", name="web-0", uid="uid-1"
    )
    assert event.container == ContainerRef(container_id="c1", name="app", attempt=3)
    assert event.engine == "cri-o"


@pytest.mark.parametrize(
    ("annotations", "bundle", "engine"),
    [
        ({"io.container.manager": "libpod"}, "/var/lib/containers/storage/c1", "podman"),
        ({}, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1", "containerd"),
        ({}, "/run/containerd/io.containerd.runtime.v2.task/moby/c1", "docker"),
        ({}, "/run/containerd/io.containerd.runtime.v2.task/default/c1", "containerd/default"),
        ({"io.container.manager": "../evil"}, "/somewhere", ""),
    ],
)
def test_who_had_it_started_is_told_by_annotations_and_bundle(
    annotations: dict[str, str], bundle: str, engine: str
) -> None:
    assert parse(annotations=annotations, bundle=bundle).event().engine == engine
