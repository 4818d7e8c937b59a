from __future__ import annotations

import itertools

import pytest
from msgspec import structs

from nsledger.model.events import (
    CallFailed,
    ClockStepped,
    ContainerAssigned,
    ContainerRemoved,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    DaemonStopped,
    Ending,
    Event,
    Gap,
    LedgerCreated,
    LedgerRecovered,
    NamespaceChanged,
    NodeRebooted,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    Source,
    UnknownEvent,
)
from nsledger.model.namespaces import (
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state import pods as workloads_module
from nsledger.state.pod import Container, LayerRecords
from nsledger.state.pods import Workloads

SHIM, HOOK = Source.CRI_PROXY, Source.OCI_HOOK
POD = PodRef(pod_sandbox_id="p1", k8s_namespace="default", name="web", uid="u1")
APP = ContainerRef(container_id="c1", name="app", attempt=2, image="local/app:1")
ASKED = RequestedNamespaces(pid=NamespaceMode.CONTAINER)
READING = NamespaceReading(pid=7, start_ticks=100)

POD_REQUESTED = PodRequested(source=SHIM, audit_id="a1", pod=PodRef(name="web"), requested=ASKED)
POD_ASSIGNED = PodAssigned(source=SHIM, audit_id="a1", pod=POD, actual=READING)
REQUESTED = ContainerRequested(
    source=SHIM, audit_id="a2", pod=POD, container=ContainerRef(name="app"), requested=ASKED
)
ASSIGNED = ContainerAssigned(source=SHIM, audit_id="a2", pod=POD, container=APP)
WITNESSED = ContainerWitnessed(
    source=HOOK,
    pod=PodRef(pod_sandbox_id="p1"),
    container=ContainerRef(container_id="c1", name="app"),
    stage="createRuntime",
    actual=READING,
)
STARTED = ContainerStarted(source=SHIM, pod=POD, container=APP, actual=READING)
STOPPED = ContainerStopped(source=SHIM, pod=POD, container=APP)
REMOVED = ContainerRemoved(source=SHIM, pod=POD, container=APP)
POD_REMOVED = PodRemoved(source=SHIM, pod=POD)


def fold(*events: Event | UnknownEvent, into: Workloads | None = None) -> Workloads:
    workloads = Workloads() if into is None else into
    for seq, event in enumerate(events, 1):
        workloads.apply(event, seq=seq, time=f"10:00:{seq:02}")
    return workloads


def the_app(workloads: Workloads) -> Container:
    found = workloads.container("c1")
    assert found is not None
    return found[1]


def test_a_pods_life_is_told_by_its_records() -> None:
    workloads = fold(POD_REQUESTED, POD_ASSIGNED, REQUESTED, ASSIGNED, WITNESSED, STARTED)

    pod = workloads.pods["p1"]
    app = the_app(workloads)
    assert (pod.ref, pod.requested, pod.since, pod.evidence) == (POD, ASKED, "10:00:02", [1, 2])
    assert (app.ref, app.requested, app.running) == (APP, ASKED, True)
    assert app.evidence == [3, 4, 5, 6]


@pytest.mark.parametrize(
    "order", list(itertools.permutations([ASSIGNED, WITNESSED, STARTED])), ids=lambda _: ""
)
def test_a_hooks_record_may_come_at_any_time(order: tuple[Event, ...]) -> None:
    app = the_app(fold(POD_ASSIGNED, REQUESTED, *order))

    assert (app.ref, app.requested, app.witnessed, app.actual) == (APP, ASKED, READING, READING)
    assert (app.source, app.sources) == (SHIM, {SHIM, HOOK})
    assert sorted(app.evidence) == [2, 3, 4, 5]


def test_a_container_is_put_into_its_pod_as_soon_as_a_record_tells_which() -> None:
    nowhere = ContainerWitnessed(
        source=HOOK, pod=PodRef(), container=WITNESSED.container, stage="prestart", actual=READING
    )

    workloads = fold(nowhere)
    before = list(workloads.pods)
    fold(POD_ASSIGNED, STARTED, into=workloads)

    assert before == [""]
    assert the_app(workloads).sources == {HOOK, SHIM}
    assert workloads.pods["p1"].containers == {"c1": the_app(workloads)}
    assert list(workloads.pods) == ["p1"]


def test_what_the_hook_could_not_name_is_named_by_the_shim() -> None:
    workloads = fold(WITNESSED, STARTED)

    assert workloads.pods["p1"].ref == POD
    assert the_app(workloads).ref == APP


def test_a_pod_that_was_only_heard_of_is_not_the_shims() -> None:
    pod = fold(WITNESSED).pods["p1"]

    assert (pod.source, pod.since, pod.actual) == (HOOK, "", None)


def test_what_asked_for_a_pod_is_known_until_its_answer_is() -> None:
    workloads = fold(POD_REQUESTED)

    assert workloads.requested_by("a1") == ASKED
    assert workloads.requested_by("a9") is None
    assert fold(POD_ASSIGNED, into=workloads).requested_by("a1") is None


def test_one_call_may_ask_for_a_pod_and_several_containers() -> None:
    def of(name: str, pid: NamespaceMode) -> tuple[Event, Event]:
        ref = ContainerRef(container_id=f"id-{name}", name=name)
        asked = RequestedNamespaces(pid=pid)
        return (
            ContainerRequested(source=SHIM, audit_id="a1", pod=POD, container=ref, requested=asked),
            ContainerAssigned(source=SHIM, audit_id="a1", pod=POD, container=ref),
        )

    app, sidecar = of("app", NamespaceMode.POD), of("sidecar", NamespaceMode.CONTAINER)
    workloads = fold(POD_REQUESTED, app[0], sidecar[0], POD_ASSIGNED, sidecar[1], app[1])

    pod = workloads.pods["p1"]
    asked = {one.ref.name: one.requested for one in pod.containers.values()}
    assert pod.requested == ASKED
    assert asked == {
        "app": RequestedNamespaces(pid=NamespaceMode.POD),
        "sidecar": RequestedNamespaces(pid=NamespaceMode.CONTAINER),
    }


def test_a_failed_call_leaves_nothing_behind() -> None:
    workloads = fold(
        POD_REQUESTED,
        CallFailed(source=SHIM, audit_id="a1", method="RunPodSandbox", grpc_status=2),
        REQUESTED,
        CallFailed(source=SHIM, audit_id="a2", method="CreateContainer", grpc_status=None),
    )

    assert workloads.pods == {}
    assert workloads.requested_by("a1") is None
    assert the_app(fold(ASSIGNED, into=workloads)).requested is None


@pytest.mark.parametrize("hook_is_late", [False, True])
def test_a_container_that_failed_to_start_does_not_run(*, hook_is_late: bool) -> None:
    failed = CallFailed(source=SHIM, method="StartContainer", grpc_status=2, pod=POD, container=APP)
    told = (failed, WITNESSED) if hook_is_late else (WITNESSED, failed)

    app = the_app(fold(ASSIGNED, *told))

    assert (app.ended, app.running, app.witnessed) == (True, False, READING)


def test_a_start_that_was_cut_off_may_have_happened() -> None:
    cut = CallFailed(source=SHIM, method="StartContainer", grpc_status=None, pod=POD, container=APP)

    assert the_app(fold(ASSIGNED, WITNESSED, cut)).running


def test_a_failed_stop_stops_nothing() -> None:
    failed = CallFailed(source=SHIM, method="StopContainer", grpc_status=4, pod=POD, container=APP)

    assert the_app(fold(STARTED, failed)).running


@pytest.mark.parametrize(
    "ending", [STOPPED, REMOVED, PodStopped(source=SHIM, pod=POD), POD_REMOVED]
)
def test_what_was_stopped_or_removed_ran_until_then(ending: Event) -> None:
    app = the_app(fold(STARTED, ending, POD_REMOVED))

    assert (app.running, app.until) == (False, "10:00:02")


def test_an_end_that_is_folded_without_a_time_is_an_end() -> None:
    workloads = Workloads()

    workloads.apply(STARTED)
    workloads.apply(STOPPED)

    assert not the_app(workloads).running


def test_a_restart_ends_the_attempt_that_nobody_saw_ending() -> None:
    again = ContainerStarted(
        source=SHIM,
        pod=POD,
        container=ContainerRef(container_id="c2", name="app", attempt=3),
        actual=NamespaceReading(pid=9, start_ticks=900),
    )

    workloads = fold(STARTED, again)

    assert set(workloads.pods["p1"].running_siblings("none")) == {"app"}
    assert (the_app(workloads).running, the_app(workloads).until) == (False, "10:00:02")


def test_a_restart_that_only_the_hook_saw_ends_the_attempt_before_too() -> None:
    again = ContainerWitnessed(
        source=HOOK,
        pod=POD,
        container=ContainerRef(container_id="c2", name="app"),
        stage="createRuntime",
        actual=NamespaceReading(pid=9, start_ticks=900),
    )

    assert not the_app(fold(STARTED, again)).running


def test_a_late_record_of_a_stopped_pod_does_not_make_it_run() -> None:
    workloads = fold(POD_ASSIGNED, PodStopped(source=SHIM, pod=POD), WITNESSED)

    assert (the_app(workloads).running, the_app(workloads).until) == (False, "10:00:02")


def test_the_last_record_of_a_pod_tells_that_there_was_one() -> None:
    workloads = fold(REMOVED, POD_REMOVED)

    pod = workloads.pods["p1"]
    assert (pod.ref, pod.since, pod.until, pod.removed) == (POD, "", "10:00:02", True)
    assert (the_app(workloads).since, the_app(workloads).until) == ("", "10:00:01")


@pytest.mark.parametrize(
    "event",
    [
        ContainerStopped(source=SHIM, pod=PodRef(), container=ContainerRef(container_id="c9")),
        ContainerRemoved(source=SHIM, pod=PodRef(), container=ContainerRef(container_id="c9")),
        PodStopped(source=SHIM, pod=PodRef()),
        CallFailed(source=SHIM, method="StartContainer", grpc_status=5),
        ContainerStarted(source=SHIM, pod=POD, container=ContainerRef()),
        Gap(source=Source.DAEMON, reason="queue_full", count=1, first_time="", last_time=""),
        LedgerCreated(source=Source.DAEMON, ledger_id="00"),
        LedgerRecovered(source=Source.DAEMON, torn_bytes=3),
        ClockStepped(source=Source.DAEMON, step_ns=-9, elapsed_ns=1, before_time="t"),
        NodeRebooted(source=Source.DAEMON, before_boot_id="b", before_time="t"),
        DaemonStopped(source=Source.DAEMON),
        UnknownEvent(event="pod.thawed", reason="not known"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_tells_of_no_pod_makes_none(event: Event | UnknownEvent) -> None:
    assert fold(event).pods == {}


def test_an_end_that_names_only_the_container_finds_its_pod() -> None:
    only_id = ContainerStopped(source=SHIM, pod=PodRef(), container=ContainerRef(container_id="c1"))

    app = the_app(fold(STARTED, only_id))

    assert (app.running, app.ref) == (False, APP)


def test_the_host_is_what_the_last_daemon_took_for_it() -> None:
    def start(reference: str) -> DaemonStarted:
        return DaemonStarted(
            source=Source.DAEMON, version="1", pid=1, host=READING, host_reference=reference
        )

    workloads = fold(start("/proc/self/ns"), start("/proc/1/ns"))

    assert (workloads.host, workloads.host_reference) == (READING, "/proc/1/ns")


def test_nothing_outlives_a_reboot() -> None:
    workloads = Workloads()
    for seq, boot_id in enumerate(["one", "one", "two"], 1):
        event = (POD_REQUESTED, STARTED, DaemonStopped(source=Source.DAEMON))[seq - 1]
        workloads.apply_record(Record(seq, "", f"10:00:0{seq}", seq, boot_id, event))

    assert (the_app(workloads).running, the_app(workloads).until) == (False, "10:00:03")
    assert workloads.pods["p1"].ended
    assert workloads.requested_by("a1") is None


def test_an_answer_after_a_reboot_answers_nothing_from_before() -> None:
    workloads = Workloads()

    workloads.apply(REQUESTED, boot_id="one")
    workloads.apply(ASSIGNED, boot_id="two")

    assert the_app(workloads).requested is None


def test_records_without_a_boot_are_of_one_boot() -> None:
    workloads = fold(STARTED)

    workloads.apply(DaemonStopped(source=Source.DAEMON), boot_id="one")
    workloads.apply(DaemonStopped(source=Source.DAEMON))

    assert the_app(workloads).running


def test_what_was_removed_is_forgotten_and_stays_so() -> None:
    workloads = fold(POD_ASSIGNED, STARTED, POD_REMOVED)

    workloads.forget_removed()
    fold(WITNESSED, STARTED, REMOVED, POD_ASSIGNED, POD_REMOVED, into=workloads)

    assert workloads.pods == {}
    assert workloads.container("c1") is None


def test_a_pod_that_lives_on_forgets_its_removed_containers() -> None:
    workloads = fold(POD_ASSIGNED)
    for number in range(3):
        ref = ContainerRef(container_id=f"c{number}", name="app", attempt=number)
        fold(ContainerRemoved(source=SHIM, pod=POD, container=ref), into=workloads)
    fold(
        ContainerAssigned(source=SHIM, pod=POD, container=ContainerRef(container_id="new")),
        into=workloads,
    )

    workloads.forget_removed()

    late = ContainerWitnessed(
        source=HOOK, pod=POD, container=ContainerRef(container_id="c1"), stage="createRuntime"
    )
    fold(late, into=workloads)
    assert list(workloads.pods["p1"].containers) == ["new"]


def test_what_the_runtime_repeats_counts_where_no_request_is_on_record() -> None:
    repeated = RequestedNamespaces(pid=NamespaceMode.NODE)
    pod = structs.replace(POD_ASSIGNED, requested=repeated)
    container = structs.replace(ASSIGNED, requested=repeated)

    found = fold(pod, container)
    seen = fold(POD_REQUESTED, pod, REQUESTED, container)

    assert found.pods["p1"].requested == the_app(found).requested == repeated
    assert found.pods["p1"].records.requested == 1
    assert the_app(found).records.requested == 2
    assert seen.pods["p1"].requested == the_app(seen).requested == ASKED


def test_of_containers_without_a_pod_only_the_newest_are_kept() -> None:
    workloads = fold(POD_ASSIGNED, WITNESSED)
    for number in range(10):
        ref = ContainerRef(container_id=f"elsewhere-{number}")
        fold(structs.replace(WITNESSED, pod=PodRef(), container=ref), into=workloads)

    workloads.forget_unplaced(3)

    assert list(workloads.pods[""].containers) == [f"elsewhere-{number}" for number in (7, 8, 9)]
    assert workloads.container("elsewhere-6") is None
    assert the_app(workloads).running
    workloads.forget_unplaced(0)
    assert set(workloads.pods) == {"p1"}
    workloads.forget_unplaced(0)


def test_a_daemon_of_many_months_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workloads_module, "_PENDING_LIMIT", 10)
    monkeypatch.setattr(workloads_module, "_FORGOTTEN_LIMIT", 10)
    workloads = Workloads()

    for number in range(100):
        pod = PodRef(pod_sandbox_id=f"p{number}")
        app = ContainerRef(container_id=f"c{number}", name="app")
        lost = f"lost-{number}"
        fold(
            PodRequested(source=SHIM, audit_id=lost, pod=pod, requested=ASKED),
            ContainerRequested(source=SHIM, audit_id=lost, pod=pod, container=app, requested=ASKED),
            ContainerStarted(source=SHIM, pod=pod, container=app, actual=READING),
            PodRemoved(source=SHIM, pod=pod),
            into=workloads,
        )
        workloads.forget_removed()

    kept = {
        name: len(value) for name, value in vars(workloads).items() if hasattr(value, "__len__")
    }
    assert max(kept.values()) <= 10, kept
    assert workloads.requested_by("lost-99") == ASKED
    assert workloads.requested_by("lost-0") is None


MOVED = NamespaceReading(
    pid=7, start_ticks=100, namespaces={NamespaceType.NET: NamespaceIdentity(4, 99)}
)


def changed(container: ContainerRef | None) -> NamespaceChanged:
    return NamespaceChanged(
        source=Source.RECONCILE,
        pod=POD,
        container=container,
        before=READING,
        actual=MOVED,
        changed=(NamespaceType.NET,),
    )


def test_a_process_that_moved_is_where_it_was_seen_last_and_the_change_is_remembered() -> None:
    workloads = fold(POD_ASSIGNED, ASSIGNED, STARTED, changed(APP), changed(None))

    app, pod = the_app(workloads), workloads.pods["p1"]

    assert (app.actual, app.records.actual, app.evidence) == (MOVED, 4, [2, 3, 4])
    (change,) = app.changes
    assert (change.seq, change.time, change.before) == (4, "10:00:04", READING)
    assert (pod.actual, pod.records.actual) == (MOVED, 5)
    assert [one.seq for one in pod.changes] == [5]


def test_a_late_record_of_the_hook_does_not_undo_a_change() -> None:
    assert the_app(fold(ASSIGNED, STARTED, changed(APP), WITNESSED)).actual == MOVED


def test_each_layer_is_known_by_the_record_that_told_of_it_last() -> None:
    workloads = fold(POD_REQUESTED, POD_ASSIGNED, REQUESTED, ASSIGNED, WITNESSED, STARTED)

    assert workloads.pods["p1"].records == LayerRecords(requested=1, assigned=None, actual=2)
    assert the_app(workloads).records == LayerRecords(requested=3, assigned=None, actual=6)


def test_how_it_ended_is_kept_from_the_first_note_of_it() -> None:
    gone = structs.replace(STOPPED, ending=Ending.PROCESS_GONE, source=Source.RECONCILE)

    workloads = fold(
        POD_ASSIGNED, ASSIGNED, STARTED, gone, STOPPED, PodStopped(source=SHIM, pod=POD)
    )

    assert the_app(workloads).ending is Ending.PROCESS_GONE
    assert workloads.pods["p1"].ending is Ending.STOPPED


SANDBOX_EXITED = PodStopped(source=Source.RECONCILE, pod=POD, ending=Ending.EXITED)


def test_a_dead_pause_process_ends_the_sandbox_and_not_its_containers() -> None:
    pod = fold(POD_ASSIGNED, STARTED, SANDBOX_EXITED).pods["p1"]

    assert (pod.sandbox_ended, pod.sandbox_until) == (True, "10:00:03")
    assert (pod.ended, pod.until, pod.containers["c1"].running) == (False, "", True)


def test_a_pod_without_a_pause_process_ends_with_its_last_container() -> None:
    pod = fold(POD_ASSIGNED, STARTED, SANDBOX_EXITED, STOPPED).pods["p1"]

    assert (pod.ended, pod.until) == (True, "10:00:04")


def test_a_successful_stop_of_the_sandbox_ends_its_containers() -> None:
    pod = fold(POD_ASSIGNED, STARTED, PodStopped(source=SHIM, pod=POD)).pods["p1"]

    assert (pod.ended, pod.containers["c1"].until) == (True, "10:00:03")


def test_what_was_wrongly_ended_goes_on_with_the_record_that_says_so() -> None:
    exited = ContainerStopped(source=Source.RECONCILE, pod=POD, container=APP, ending=Ending.EXITED)
    heals = structs.replace(STARTED, source=Source.RECONCILE, still_running=True)
    back = structs.replace(POD_ASSIGNED, source=Source.RECONCILE, still_running=True)

    workloads = fold(POD_ASSIGNED, STARTED, exited, SANDBOX_EXITED, heals, back)

    app, pod = the_app(workloads), workloads.pods["p1"]
    assert (app.running, app.until, app.ending, app.since) == (True, "", None, "10:00:02")
    assert (pod.sandbox_ended, pod.sandbox_until, pod.ending) == (False, "", None)


@pytest.mark.parametrize("still_running", [False, True])
def test_a_failed_start_of_a_container_that_runs_changes_nothing(*, still_running: bool) -> None:
    failed = CallFailed(
        source=SHIM,
        method="StartContainer",
        grpc_status=2,
        pod=POD,
        container=APP,
        still_running=still_running,
    )

    assert the_app(fold(POD_ASSIGNED, STARTED, failed)).running
    assert the_app(fold(WITNESSED, failed)).running is still_running


def test_containers_of_which_no_name_is_known_do_not_end_each_other() -> None:
    nameless = [
        structs.replace(
            WITNESSED,
            container=ContainerRef(container_id=id_),
            actual=NamespaceReading(pid=pid, start_ticks=pid),
        )
        for id_, pid in (("c8", 8), ("c9", 9))
    ]

    pod = fold(POD_ASSIGNED, *nameless).pods["p1"]

    assert [one.running for one in pod.containers.values()] == [True, True]
