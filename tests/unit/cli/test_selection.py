from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.cli.log_selection import Selection
from nsledger.ledger.line import GENESIS, link
from nsledger.model.events import DaemonStopped, Source, event_name
from nsledger.model.instants import unix_ns
from nsledger.model.record import Moment, Record, decode, encode
from tests.synthetic_node import odd_node

RECORDS = odd_node().decoded()


def taken(selection: Selection) -> list[Record]:
    return [record for record in RECORDS if selection.takes(record)]


def test_a_selection_of_nothing_takes_everything() -> None:
    assert Selection().everything
    assert taken(Selection()) == RECORDS
    assert not Selection(pods=("web",)).everything


def test_since_is_in_and_until_is_not() -> None:
    since, until = unix_ns(RECORDS[9].time), unix_ns(RECORDS[19].time)

    assert taken(Selection(since_ns=since, until_ns=until)) == RECORDS[9:19]


@pytest.mark.parametrize(
    ("pod", "count"),
    [
        ("web", 10),
        ("default/web", 10),
        ("default/*", 49),
        ("6f1c2d3e-0000-4000-8000-000000000001", 10),
        ("5a000001", 9),
        ("5a0", 0),
        ("we", 0),
        ("WEB", 0),
    ],
)
def test_a_pod_is_named_by_all_that_it_is_known_by(pod: str, count: int) -> None:
    assert len(taken(Selection(pods=(pod,)))) == count


@pytest.mark.parametrize(("container", "count"), [("app", 4), ("c0000002", 3), ("s*", 12)])
def test_a_container_is_named_by_name_id_or_pattern(container: str, count: int) -> None:
    assert len(taken(Selection(containers=(container,)))) == count


def test_of_several_values_any_and_of_several_filters_all_have_to_fit() -> None:
    selection = Selection(pods=("web", "debug"), containers=("app", "shell"), events=("*.started",))

    found = taken(selection)

    assert [event_name(record.event) for record in found] == ["container.started"] * 2


def test_events_go_by_pattern_and_sources_by_name() -> None:
    by_hook = taken(Selection(sources=(Source.OCI_HOOK,)))
    witnessed = taken(Selection(events=("container.witnessed",)))

    assert by_hook == witnessed
    assert {event_name(record.event) for record in taken(Selection(events=("pod.*", "gap")))} == {
        "pod.requested",
        "pod.assigned",
        "pod.stopped",
        "pod.removed",
        "gap",
    }


def test_what_is_about_no_pod_is_of_no_pod() -> None:
    assert all(event_name(record.event) != "gap" for record in taken(Selection(pods=("*",))))


@given(
    st.integers(0, 2**62),
    st.none() | st.integers(0, 2**62),
    st.none() | st.integers(0, 2**62),
    st.integers(-2, 2),
)
def test_what_is_told_by_the_line_alone_is_what_the_record_tells(
    time_ns: int, since: int | None, until: int | None, near: int
) -> None:
    for bounds in ((since, until), (time_ns + near, until), (since, max(0, time_ns + near))):
        selection = Selection(since_ns=bounds[0], until_ns=bounds[1])
        at = Moment(time_ns=time_ns, mono_ns=1, boot_id="b")
        line, _ = link(GENESIS, [encode(DaemonStopped(source=Source.DAEMON), at)])

        assert selection.may_take(line) == selection.takes(decode(line))


def test_a_line_with_another_form_of_time_has_to_be_decoded() -> None:
    line = b'{"seq":1,"prev":"%b","time":"2026-11-24T01:00:00+01:00"}' % (b"0" * 64)

    assert Selection(since_ns=2**62).may_take(line)
