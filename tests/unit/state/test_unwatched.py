from __future__ import annotations

from msgspec import structs

from nsledger.model.events import (
    UNCLEAN_STOP,
    ClockStepped,
    DaemonStarted,
    DaemonStopped,
    DiskStage,
    DiskStageChanged,
    Event,
    Gap,
    LedgerResumed,
    LedgerStopped,
    NodeRebooted,
    Source,
)
from nsledger.model.record import decode
from nsledger.state.coverage import Unwatched, Watch
from tests.synthetic_node import SyntheticNode


def holes(node: SyntheticNode) -> list[Unwatched]:
    watch = Watch()
    found = [watch.apply(decode(line)) for line in node.lines()]
    return [hole for hole in found if hole is not None]


def test_a_ledger_without_a_break_has_no_hole() -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    node.run_pod("web")

    assert holes(node) == []


def test_a_gap_is_a_hole_from_the_first_to_the_last_that_was_missed() -> None:
    node = SyntheticNode()
    node.start_daemon()
    began = node.now
    node.gap("queue_full", count=3, seconds=5)

    (hole,) = holes(node)

    assert hole.since == began
    assert hole.reason == "gap: queue_full (3)"
    assert hole.evidence == (2,)


def test_between_two_daemons_nobody_watched_and_it_says_how_the_first_one_ended() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.stop_daemon()
    stopped = node.now
    node.wait(60)
    node.start_daemon()
    node.wait(60)
    node.start_daemon()
    node.reboot()
    node.start_daemon()

    after_stop, after_kill, after_reboot = holes(node)

    assert after_stop.since == stopped
    assert after_stop.reason == "nsledger serve was stopped"
    assert after_stop.evidence == (2, 3)
    assert after_kill.reason == "nsledger serve was killed"
    assert after_reboot.reason == "the node was restarted"


def test_a_daemon_that_took_over_leaves_no_hole() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.stop_daemon()
    node.wait(1)
    node.start_daemon()
    first, stopped, second = [decode(line) for line in node.lines()]
    assert isinstance(second.event, DaemonStarted)
    took_over = structs.replace(second, event=structs.replace(second.event, predecessor_pid=7))
    watch = Watch()

    assert [watch.apply(record) for record in (first, stopped, took_over)] == [None] * 3


def test_what_a_new_daemon_says_of_the_ledger_does_not_make_the_hole_shorter() -> None:
    node = SyntheticNode()
    node.start_daemon()
    last = node.now
    node.wait(60)
    node.recover_ledger()
    node.start_daemon()

    (hole,) = holes(node)

    assert hole.since == last


def test_what_a_new_daemon_says_of_time_does_not_make_the_hole_shorter_either() -> None:
    node = SyntheticNode()
    node.start_daemon()
    last = node.now
    node.reboot()
    node.say(NodeRebooted(source=Source.DAEMON, before_boot_id="x", before_time=last))
    node.start_daemon()

    (hole,) = holes(node)

    assert hole.since == last
    assert hole.evidence == (1, 3)
    assert hole.reason == "the node was restarted"


def test_a_clock_that_was_set_back_meanwhile_leaves_a_hole_where_times_mean_two_moments() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.stop_daemon()
    stopped = node.now
    node.now_ns -= 3600 * 10**9
    step = ClockStepped(source=Source.DAEMON, step_ns=-1, elapsed_ns=1, before_time=stopped)
    node.say(step)
    node.start_daemon()

    (hole,) = holes(node)

    assert (hole.since, hole.until) == (node.now, stopped)


DAEMON = Source.DAEMON
OPENING: list[Event] = [
    DiskStageChanged(source=DAEMON, stage=DiskStage.WARN, before=DiskStage.OK, free_bytes=1),
    LedgerStopped(source=DAEMON, reason="disk_full", free_bytes=0),
    LedgerResumed(source=DAEMON, free_bytes=2),
]


def test_what_the_disk_is_like_does_not_hide_the_time_between_stop_and_start() -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    node.run_pod("web")
    node.stop_daemon()
    stopped = node.now
    node.wait(7)
    for event in OPENING * 50:
        node.say(event)
    node.start_daemon()

    (hole,) = holes(node)

    assert (hole.since, hole.until) == (stopped, node.now)
    assert hole.reason == "nsledger serve was stopped"


def test_a_new_ledger_on_a_low_disk_has_no_hole() -> None:
    node = SyntheticNode()
    node.create_ledger()
    for event in OPENING:
        node.say(event)
    node.start_daemon()

    assert holes(node) == []


def test_after_a_kill_the_hole_begins_where_the_first_opening_after_it_says() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.say(OPENING[0])
    last = node.now
    for _ in range(2):  # the first of them was killed before it began to watch
        node.wait(5)
        node.say(
            Gap(source=DAEMON, reason=UNCLEAN_STOP, count=None, first_time=last, last_time=node.now)
        )
    node.start_daemon()

    (hole,) = holes(node)

    assert (hole.since, hole.until) == (last, node.now)
    assert hole.reason == "nsledger serve was killed"


def test_a_daemon_that_handed_over_does_not_make_its_killed_successor_a_stopped_one() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.say(DaemonStopped(source=DAEMON, reason="handed over"))
    node.wait(5)
    node.start_daemon()

    (hole,) = holes(node)

    assert hole.reason == "nsledger serve was killed"
