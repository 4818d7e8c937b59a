"""Each cell keeps its best evidence: what comes later and knows less takes nothing away."""

from __future__ import annotations

from nsledger.model.events import ContainerStarted, ContainerWitnessed, Event, Source
from nsledger.model.namespaces import (
    NamespaceIdentity,
    NamespaceReading,
    NamespaceType,
    ReadingSource,
)
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.pod import Container
from nsledger.state.pods import Workloads

POD = PodRef(pod_sandbox_id="s1", k8s_namespace="shop", name="job")
JOB = ContainerRef(container_id="c1", name="true")
READ = {
    type_: NamespaceIdentity(dev=4, ino=at, ns_id=str(at)) for at, type_ in enumerate(NamespaceType)
}
HOOK = NamespaceReading(pid=7, start_ticks=9, namespaces=READ)
GONE = NamespaceReading(pid=7, missing=dict.fromkeys(NamespaceType, "ENOENT"))
WITNESSED = ContainerWitnessed(
    source=Source.OCI_HOOK, pod=POD, container=JOB, stage="createRuntime", actual=HOOK,
    hook_time="2026-12-01T00:00:00Z",
)  # fmt: skip
STARTED = ContainerStarted(source=Source.CRI_PROXY, pod=POD, container=JOB, actual=GONE)


def folded(*events: Event) -> Workloads:
    workloads = Workloads()
    for seq, event in enumerate(events, 1):
        workloads.apply(event, seq=seq, time=f"2026-12-01T00:00:0{seq}Z", boot_id="boot")
    return workloads


def container(workloads: Workloads, id_: str = "c1") -> Container:
    found = workloads.container(id_)
    assert found is not None
    return found[1]


def test_an_empty_reading_leaves_what_the_hook_read_in_either_order() -> None:
    for events in ((WITNESSED, STARTED), (STARTED, WITNESSED)):
        job = container(folded(*events))

        assert job.actual is not None
        assert job.actual.namespaces == READ
        assert job.actual.missing == {}
        assert job.actual_source(NamespaceType.NET) is ReadingSource.HOOK
        assert job.actual_time(NamespaceType.NET) == "2026-12-01T00:00:00Z"


def test_a_reading_of_another_process_is_not_mixed_in() -> None:
    other = NamespaceReading(pid=8, missing={NamespaceType.NET: "EACCES"})

    assert other.filled_from(HOOK, ReadingSource.HOOK) == other
    later = NamespaceReading(pid=7, start_ticks=10, missing={NamespaceType.NET: "EACCES"})
    assert later.filled_from(HOOK, ReadingSource.HOOK) == later


def test_containers_without_a_name_are_told_apart_by_their_ids() -> None:
    one = ContainerWitnessed(
        source=Source.OCI_HOOK, pod=PodRef(), container=ContainerRef(container_id="a"),
        stage="createRuntime", actual=HOOK,
    )  # fmt: skip
    other = ContainerWitnessed(
        source=Source.OCI_HOOK, pod=PodRef(), container=ContainerRef(container_id="b"),
        stage="createRuntime", actual=NamespaceReading(pid=8, start_ticks=10, namespaces=READ),
    )  # fmt: skip

    workloads = folded(one, other)

    assert not container(workloads, "a").ended
    assert not container(workloads, "b").ended
