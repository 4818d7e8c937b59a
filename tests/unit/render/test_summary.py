from __future__ import annotations

import pytest

from nsledger.model.events import (
    Alteration,
    CallFailed,
    ClockStepped,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DiskStage,
    DiskStageChanged,
    Ending,
    Event,
    Gap,
    LedgerPruned,
    LedgerRecovered,
    LedgerResumed,
    LedgerStopped,
    LedgerUnattested,
    NamespaceChanged,
    NodeRebooted,
    PodRequested,
    PodStopped,
    PruneRule,
    SegmentAltered,
    Source,
    UnknownEvent,
    event_name,
)
from nsledger.model.namespaces import (
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.render.event_summary import summary
from nsledger.render.tables import Piece
from nsledger.render.text import Screen, Tone
from tests.synthetic_node import NODE, POD, odd_node

SCREEN = Screen()
DAEMON = Source.DAEMON


def of_first(name: str) -> str:
    events = [record.event for record in odd_node().decoded()]
    return summary(next(event for event in events if event_name(event) == name), SCREEN).text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ledger.created", f"ledger {'3f' * 16}"),
        ("daemon.started", "nsledger 0.1.0, kernel 6.18.5"),
        ("pod.requested", "POD net ipc, CONTAINER pid"),
        ("pod.assigned", "pod net ipc uts pid mnt cgroup, \u25b2 host user time"),
        ("container.requested", "POD net ipc, CONTAINER pid"),
        ("container.assigned", "joins net ipc uts, new pid mnt cgroup, \u25b2 host user time"),
        ("container.witnessed", "pid 18501, 8 of 8 read in 4.1 ms, createRuntime"),
        ("container.started", "pod net ipc uts, private pid mnt cgroup, \u25b2 host user time"),
        ("container.stopped", ""),
        ("container.removed", ""),
        ("pod.stopped", ""),
        ("pod.removed", ""),
        ("gap", "3 missed: queue_full"),
        ("call.failed", "CreateContainer: UNAVAILABLE (14)"),
        ("daemon.stopped", "SIGTERM"),
        ("ledger.recovered", "412 torn bytes, kept as torn-1"),
    ],
)
def test_every_event_has_its_gist(name: str, text: str) -> None:
    assert of_first(name) == text


def test_all_events_are_in_that_list() -> None:
    known = {event_name(record.event) for record in odd_node().decoded()}
    tested_apart = {
        "clock.stepped",
        "disk.stage_changed",
        "ledger.pruned",
        "ledger.resumed",
        "ledger.stopped",
        "ledger.unattested",
        "namespace.changed",
        "node.rebooted",
        "segment.altered",
    }

    assert len(known | tested_apart) == len(Event.__args__)


def test_the_host_comes_first_where_a_pod_asked_for_it() -> None:
    requested = RequestedNamespaces(net=NODE, user=UserNamespaceRequest(mode=POD))
    event = PodRequested(source=DAEMON, pod=PodRef(), requested=requested)
    agent = [
        record.event
        for record in odd_node().decoded()
        if isinstance(record.event, ContainerStarted) and record.event.container.name == "agent"
    ]

    assert summary(event, SCREEN).text == "\u25b2 NODE net, POD user"
    assert summary(agent[0], SCREEN).text.startswith("\u25b2 host net ipc uts pid user time, ")


def test_a_mismatch_comes_before_all_else() -> None:
    strayed = next(
        record.event
        for record in odd_node().decoded()
        if isinstance(record.event, ContainerStarted) and record.event.container.name == "strayed"
    )

    piece = summary(strayed, SCREEN)

    assert piece.text.startswith("\u2260 pid requested CONTAINER, got host")
    assert piece.tone is Tone.ALARM


@pytest.mark.parametrize(
    ("event", "text", "tone"),
    [
        (
            ContainerStarted(
                source=DAEMON,
                pod=PodRef(),
                container=ContainerRef(),
                actual=NamespaceReading(pid=7),
                witnessed=False,
            ),
            "not seen by the hook; pid 7, 0 of 8 read",
            Tone.WARNING,
        ),
        (
            ContainerStarted(
                source=DAEMON,
                pod=PodRef(),
                container=ContainerRef(),
                unobservable="no host pid",
            ),
            "unobservable: no host pid",
            Tone.WARNING,
        ),
        (
            ContainerWitnessed(
                source=DAEMON,
                pod=PodRef(),
                container=ContainerRef(),
                stage="prestart",
                errors=("no pid", "no bundle"),
            ),
            "no pid; no bundle",
            Tone.WARNING,
        ),
        (
            ContainerStopped(source=DAEMON, pod=PodRef(), container=ContainerRef()),
            "",
            Tone.PLAIN,
        ),
        (
            PodStopped(source=Source.RECONCILE, pod=PodRef(), ending=Ending.PROCESS_GONE),
            "found: process gone",
            Tone.PLAIN,
        ),
        (
            ContainerStopped(
                source=Source.RECONCILE,
                not_before="2026-11-24T00:03:50.123456789Z",
                pod=PodRef(),
                container=ContainerRef(),
                ending=Ending.EXITED,
            ),
            "found; it was not there at 00:03:50.123: exited",
            Tone.PLAIN,
        ),
        (
            NamespaceChanged(
                source=Source.RECONCILE,
                pod=PodRef(),
                before=NamespaceReading(pid=7),
                actual=NamespaceReading(pid=7),
                changed=(NamespaceType.NET, NamespaceType.MNT),
            ),
            "found: now in another net mnt",
            Tone.WARNING,
        ),
        (
            Gap(
                source=DAEMON,
                reason="oversized",
                count=1,
                first_time="",
                last_time="",
                detail="CreateContainer",
            ),
            "1 missed: oversized, CreateContainer",
            Tone.FAILED,
        ),
        (
            Gap(source=DAEMON, reason="unclean_stop", count=None, first_time="", last_time=""),
            "unknown number missed: unclean_stop",
            Tone.FAILED,
        ),
        (
            LedgerUnattested(source=DAEMON, from_seq=7, through_seq=9, reason="rewritten"),
            "nobody vouches for entries 7 to 9: rewritten",
            Tone.WARNING,
        ),
        (
            LedgerRecovered(
                source=DAEMON, torn_bytes=9, kept_as="torn-7-1", from_seq=7, through_seq=8
            ),
            "9 torn bytes, entries 7 to 8, kept as torn-7-1",
            Tone.WARNING,
        ),
        (
            LedgerPruned(
                source=DAEMON,
                rule=PruneRule.MAX_AGE,
                from_seq=1,
                through_seq=9,
                digest="",
                segments=1,
                size_bytes=1,
            ),
            "entries 1 to 9 removed, by max_age",
            Tone.WARNING,
        ),
        (
            LedgerStopped(source=DAEMON, reason="disk_full", free_bytes=12),
            "stopped, disk_full: 12 bytes free",
            Tone.FAILED,
        ),
        (
            LedgerResumed(source=DAEMON, free_bytes=12, stopped_time="T"),
            "resumed, 12 bytes free, stopped since T",
            Tone.WARNING,
        ),
        (
            DiskStageChanged(
                source=DAEMON, stage=DiskStage.PRUNE, before=DiskStage.WARN, free_bytes=12
            ),
            "warn to prune: 12 bytes free",
            Tone.WARNING,
        ),
        (
            DiskStageChanged(
                source=DAEMON, stage=DiskStage.OK, before=DiskStage.WARN, free_bytes=12
            ),
            "warn to ok: 12 bytes free",
            Tone.PLAIN,
        ),
        (
            SegmentAltered(
                source=DAEMON,
                alteration=Alteration.REPLACED,
                segment="00000000000000000001.jsonl",
                at_seq=9,
                kept_as="foreign-1",
            ),
            "00000000000000000001.jsonl was replaced, kept as foreign-1",
            Tone.ALARM,
        ),
        (
            CallFailed(source=DAEMON, method="StopContainer", grpc_status=None),
            "StopContainer: cut off",
            Tone.FAILED,
        ),
        (
            CallFailed(source=DAEMON, method="StopContainer", grpc_status=99),
            "StopContainer: unknown status (99)",
            Tone.FAILED,
        ),
        (
            UnknownEvent(event="pod.moved", reason="Invalid value 'pod.moved'"),
            "not known to this version: Invalid value 'pod.moved'",
            Tone.WARNING,
        ),
    ],
)
def test_what_should_worry_has_a_tone_that_says_so(
    event: Event | UnknownEvent, text: str, tone: Tone
) -> None:
    piece = summary(event, SCREEN)

    assert (piece.text, piece.tone) == (text, tone)


def test_what_happened_to_time_is_a_warning() -> None:
    ahead = ClockStepped(source=DAEMON, step_ns=1_500_000_000, elapsed_ns=1, before_time="t")
    back = ClockStepped(source=DAEMON, step_ns=-3_600 * 10**9, elapsed_ns=1, before_time="t")
    rebooted = NodeRebooted(source=DAEMON, before_boot_id="b", before_time="2026-11-24T00:03:50Z")

    assert summary(ahead, SCREEN) == Piece("wall clock set ahead by 1.500 s", Tone.WARNING)
    assert summary(back, SCREEN) == Piece("wall clock set back by 3600.000 s", Tone.WARNING)
    assert summary(rebooted, SCREEN) == Piece(
        "the record before is of 2026-11-24T00:03:50Z", Tone.WARNING
    )
