from __future__ import annotations

import itertools

import pytest

from nsledger.model.events import ContainerStarted, ContainerWitnessed, PodAssigned, Source
from nsledger.model.judgement import Judgement, Verdict
from nsledger.model.namespaces import NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.pod import Container, Pod

POD = PodRef(pod_sandbox_id="p1", name="web")
APP = ContainerRef(container_id="c1", name="app")
BY_HOOK, BY_DAEMON = NamespaceReading(pid=7, start_ticks=1), NamespaceReading(pid=7, start_ticks=2)


def witnessed(hook_time: str = "10:00:01") -> ContainerWitnessed:
    return ContainerWitnessed(
        source=Source.OCI_HOOK,
        pod=POD,
        container=APP,
        stage="createRuntime",
        assigned={NamespaceType.NET: "/by/hook"},
        actual=BY_HOOK,
        hook_time=hook_time,
    )


def started(source: Source = Source.CRI_PROXY) -> ContainerStarted:
    return ContainerStarted(source=source, pod=POD, container=APP, actual=BY_DAEMON)


@pytest.mark.parametrize("order", list(itertools.permutations([0, 1, 2])))
def test_the_order_in_which_a_start_is_told_means_nothing(order: tuple[int, ...]) -> None:
    container = Container(APP)
    tell = [
        lambda: container.take_witnessed(witnessed(), 1, "10:00:04"),
        lambda: container.take_started(started(), 1, "10:00:02"),
        lambda: container.take_started(started(Source.RECONCILE), 1, "10:00:03"),
    ]

    for number in order:
        tell[number]()

    assert (container.witnessed, container.actual) == (BY_HOOK, BY_DAEMON)
    assert (container.source, container.since) == (Source.CRI_PROXY, "10:00:01")
    assert container.sources == {Source.CRI_PROXY, Source.OCI_HOOK, Source.RECONCILE}


def test_a_start_that_only_the_hook_saw_was_behind_the_shim() -> None:
    container = Container(APP)

    container.take_witnessed(witnessed(), 1, "10:00:04")

    assert container.sources == {Source.OCI_HOOK}
    assert (container.source, container.actual, container.running) == (
        Source.OCI_HOOK,
        BY_HOOK,
        True,
    )


def test_what_was_found_running_is_not_dated_by_a_later_look() -> None:
    container = Container(APP)

    container.take_started(started(Source.RECONCILE), 1, "10:00:03")
    container.take_started(started(Source.RECONCILE), 1, "10:05:03")

    assert (container.source, container.since) == (Source.RECONCILE, "10:00:03")


def test_a_look_that_saw_less_takes_nothing_away() -> None:
    container = Container(APP)
    container.take_started(started(), 1, "10:00:02")

    blind = ContainerStarted(
        source=Source.RECONCILE, pod=POD, container=APP, unobservable="no host pid"
    )
    container.take_started(blind, 1, "10:05:00")

    assert (container.actual, container.unobservable) == (BY_DAEMON, "no host pid")


def test_the_first_end_counts() -> None:
    container = Container(APP, actual=BY_HOOK)

    container.end("10:00:05")
    container.end("10:00:09")

    assert (container.until, container.running) == ("10:00:05", False)


def test_an_end_of_unknown_time_is_still_an_end() -> None:
    container = Container(APP, actual=BY_HOOK)

    container.end("")

    assert not container.running


def test_a_sandbox_that_is_found_again_keeps_its_first_witness() -> None:
    pod = Pod(POD)
    seen = PodAssigned(source=Source.CRI_PROXY, pod=POD, netns_path="/n", ips=("10.0.0.2",))
    again = PodAssigned(source=Source.RECONCILE, pod=POD, unobservable="no host pid")

    pod.take_assigned(seen, 1, "")
    pod.take_assigned(again, 2, "10:05:00")

    assert (pod.source, pod.netns_path, pod.ips) == (Source.CRI_PROXY, "/n", ("10.0.0.2",))
    assert pod.unobservable == "no host pid"


def attempt(number: int, name: str = "app", ticks: int | None = None) -> Container:
    return Container(
        ContainerRef(container_id=f"c{number}", name=name, attempt=number),
        actual=NamespaceReading(pid=number + 7, start_ticks=ticks),
        since=f"10:00:0{number}",
    )


def pod_of(*containers: Container) -> Pod:
    return Pod(POD, containers={one.ref.container_id: one for one in containers})


@pytest.mark.parametrize("told_last", [0, 1])
@pytest.mark.parametrize("ticks", [(None, None), (100, 200)])
def test_a_newer_attempt_shows_that_the_older_one_ended(
    told_last: int, ticks: tuple[int | None, int | None]
) -> None:
    older, newer = attempt(1, ticks=ticks[0]), attempt(2, ticks=ticks[1])
    pod = pod_of(older, newer)

    pod.end_older_attempts((older, newer)[told_last])

    assert (older.running, newer.running) == (False, True)
    assert older.until == newer.since


def test_the_kernels_clock_tells_attempts_apart_where_the_hook_cannot() -> None:
    # The hook knows no attempt: to it every one is the first.
    older, newer = attempt(4, ticks=100), attempt(0, ticks=200)

    pod_of(older, newer).end_older_attempts(newer)

    assert (older.running, newer.running) == (False, True)


def test_a_container_of_another_name_is_no_attempt() -> None:
    init, app = attempt(1, name="init"), attempt(2)

    pod_of(init, app).end_older_attempts(app)

    assert init.running


def test_an_attempt_that_never_started_ends_nobody() -> None:
    running = attempt(1)
    created = Container(ContainerRef(container_id="c2", name="app", attempt=2))

    pod_of(running, created).end_older_attempts(running)

    assert running.running


def test_siblings_are_those_that_run() -> None:
    app, gone, created = attempt(1), attempt(2, "gone"), Container(ContainerRef(container_id="c3"))
    gone.end("10:00:07")
    pod = pod_of(app, gone, created, attempt(4, "sidecar"))

    assert set(pod.running_siblings("c1")) == {"sidecar"}
    assert set(pod.running_siblings("c9")) == {"app", "sidecar"}


def test_containers_of_unknown_pods_are_nobodys_siblings() -> None:
    strangers = Pod(PodRef(), containers={"c1": attempt(1), "c2": attempt(2, "other")})

    assert strangers.running_siblings("c1") == {}


def test_a_pod_takes_its_containers_with_it() -> None:
    pod = pod_of(attempt(1), attempt(2, "sidecar"))

    pod.end("10:00:09")

    assert {one.until for one in pod.containers.values()} == {pod.until} == {"10:00:09"}


def test_a_container_found_alone_shows_that_who_had_its_numbers_has_ended() -> None:
    elder, younger = attempt(1, name="init", ticks=100), attempt(2, ticks=200)
    number = NamespaceIdentity(4, 99)
    for one in (elder, younger):
        one.actual = NamespaceReading(pid=7, namespaces={NamespaceType.PID: number})
    pod = pod_of(elder, younger)

    pod.end_whose_numbers_were_reused(younger)
    assert elder.running

    younger.judgements = {NamespaceType.PID: Judgement("private", Verdict.MATCH)}
    pod.end_whose_numbers_were_reused(younger)
    assert (elder.running, elder.until) == (False, younger.since)
