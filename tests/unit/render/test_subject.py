from __future__ import annotations

from nsledger.model.events import CallFailed, ContainerStopped, Gap, Source, UnknownEvent
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.render.log_table import subject, subject_text
from nsledger.render.text import Screen, columns

POD = PodRef(pod_sandbox_id="5a" * 32, k8s_namespace="default", name="web-7d4b9c6f5-x7k2p")
APP = ContainerRef(container_id="c0" * 32, name="app")
SCREEN = Screen()


def stopped(pod: PodRef, container: ContainerRef) -> ContainerStopped:
    return ContainerStopped(source=Source.DAEMON, pod=pod, container=container)


def test_a_container_is_named_after_its_pod() -> None:
    assert subject_text(stopped(POD, APP), SCREEN, None) == (
        "default/web-7d4b9c6f5-x7k2p \u203a app"
    )


def test_an_id_stands_where_no_name_is_known() -> None:
    assert subject_text(stopped(PodRef(), ContainerRef(container_id="c0" * 32)), SCREEN, None) == (
        "c0c0c0c0c0c0c"
    )


def test_where_there_is_no_room_the_pod_gives_way_and_the_container_stays() -> None:
    assert subject_text(stopped(POD, APP), SCREEN, 20) == "default\u2026-x7k2p \u203a app"


def test_however_long_the_names_are_they_fit() -> None:
    long = stopped(PodRef(name="p" * 10_000), ContainerRef(name="\u4e2d" * 10_000))

    for width in (12, 20, 40):
        assert columns(subject_text(long, SCREEN, width)) <= width


def test_a_hostile_name_is_inert() -> None:
    text = subject_text(stopped(PodRef(name="\x1b[2J\n"), ContainerRef(name="\u202e")), SCREEN, 40)

    assert text == "\\x1b[2J\\n \u203a \\u202e"


def test_what_is_about_no_pod_has_no_subject() -> None:
    gap = Gap(source=Source.DAEMON, reason="", count=1, first_time="", last_time="")
    unknown = UnknownEvent(event="pod.moved", reason="")
    failed = CallFailed(source=Source.DAEMON, method="RunPodSandbox", grpc_status=2, pod=POD)

    assert subject(gap) == subject(unknown) == (None, None)
    assert subject(failed) == (POD, None)
    assert subject_text(gap, SCREEN, 20) == ""
