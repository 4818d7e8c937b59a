from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from nsledger.model.events import ContainerWitnessed, Gap, PodRemoved, Source, UnknownEvent
from nsledger.model.record import Moment, Record, UnreadableRecordError, decode, encode, rfc3339
from nsledger.model.refs import ContainerRef, PodRef

AT = Moment(
    time_ns=1_795_478_630_123_456_789,
    mono_ns=86_400_000_000_007,
    boot_id="3e1f5c2a-0b1d-4c6e-9f00-5a5a5a5a5a5a",
)
REMOVED = PodRemoved(source=Source.CRI_PROXY, pod=PodRef(pod_sandbox_id="p1"))


def line(body: str) -> bytes:
    front = '{"seq":7,"prev":"00","time":"2026-11-24T00:03:50.1Z","mono_ns":1,"boot_id":"b",'
    return (front + body + "}\n").encode()


def as_line(event_bytes: bytes) -> bytes:
    return b'{"seq":7,"prev":"00",' + event_bytes[1:] + b"\n"


def test_a_record_is_one_flat_object_with_its_moment_in_front() -> None:
    assert encode(REMOVED, AT) == (
        b'{"time":"2026-11-24T00:03:50.123456789Z","mono_ns":86400000000007,'
        b'"boot_id":"3e1f5c2a-0b1d-4c6e-9f00-5a5a5a5a5a5a",'
        b'"event":"pod.removed","source":"cri_proxy","pod":{"pod_sandbox_id":"p1"}}'
    )


def test_what_the_ledger_wrote_is_read_back() -> None:
    assert decode(as_line(encode(REMOVED, AT))) == Record(
        seq=7,
        prev="00",
        time="2026-11-24T00:03:50.123456789Z",
        mono_ns=AT.mono_ns,
        boot_id=AT.boot_id,
        event=REMOVED,
    )


@pytest.mark.parametrize(
    "time_ns",
    [0, 1, 999_999_999, 1_000_000_000, 951_782_400_000_000_001, 1_795_478_630_123_456_789],
)
def test_time_is_written_to_the_nanosecond_in_utc(time_ns: int) -> None:
    text = rfc3339(time_ns)

    seconds = datetime.strptime(text[:19] + text[-1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert int(seconds.timestamp()) * 1_000_000_000 + int(text[20:29]) == time_ns
    assert len(text) == 30


def test_times_of_one_ledger_sort_as_text() -> None:
    times = [rfc3339(time_ns) for time_ns in range(998_000_000, 1_003_000_000, 500_000)]

    assert times == sorted(times)


def test_a_clock_before_1970_is_still_a_time() -> None:
    assert rfc3339(-1) == "1969-12-31T23:59:59.999999999Z"


def test_an_event_of_a_newer_version_is_passed_on_by_name() -> None:
    record = decode(line('"event":"pod.thawed","source":"cri_proxy","heat":[1,{"x":null}]'))

    assert isinstance(record.event, UnknownEvent)
    assert (record.seq, record.event.event, record.event.source) == (7, "pod.thawed", "cri_proxy")
    assert "pod.thawed" in record.event.reason


@pytest.mark.parametrize(
    "body",
    [
        '"event":"pod.removed","source":"ebpf","pod":{}',
        '"event":"gap","source":"daemon","reason":"queue_full"',
        '"event":"pod.assigned","source":"reconcile","pod":{},"assigned":{"syslog":"new"}',
    ],
    ids=["source", "missing field", "namespace type"],
)
def test_a_word_of_a_newer_version_makes_its_event_unknown_and_nothing_worse(body: str) -> None:
    event = decode(line(body)).event

    assert isinstance(event, UnknownEvent)
    assert event.reason


def test_a_field_of_a_newer_version_is_passed_over() -> None:
    newer = line('"event":"pod.removed","source":"cri_proxy","pod":{"color":"red"},"mood":1')

    assert decode(newer).event == PodRemoved(source=Source.CRI_PROXY, pod=PodRef())


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"null",
        b"[]",
        b"\xff",
        line('"event":5'),
        line('"source":"daemon"'),
        line('"event":"pod.removed","source":"cri_proxy","pod":{}')[:-3],
        line('"event":"pod.removed","source":"cri_proxy","pod":{}').replace(b":7", b':"7"'),
        line('"event":"gap","source":"daemon","reason":"') + b'\xff"}',
        line('"event":"pod.removed","x":' + "[" * 100_000),
    ],
)
def test_what_is_no_record_is_refused_with_what_was_found(damaged: bytes) -> None:
    with pytest.raises(UnreadableRecordError) as caught:
        decode(damaged)

    assert repr(damaged[:80]) in str(caught.value)
    assert caught.value.reason


def test_text_that_is_not_utf8_is_read_without_a_crash() -> None:
    damaged = line('"event":"pod.removed","source":"cri_proxy","pod":{"name":"?"}')

    with pytest.raises(UnreadableRecordError):
        decode(damaged.replace(b"?", b"\xff"))


def test_a_name_that_is_no_unicode_text_is_written_with_replacements() -> None:
    event = ContainerWitnessed(
        source=Source.OCI_HOOK,
        pod=PodRef(name="caf\u00e9-\ud83d"),
        container=ContainerRef(name="a\udcffb"),
        stage="createRuntime",
        errors=("\udc80",),
    )

    written = json.loads(encode(event, AT))

    assert written["event"] == "container.witnessed"
    assert written["pod"]["name"].startswith("caf\u00e9-\ufffd")
    assert written["container"]["name"].replace("\ufffd", "") == "ab"
    assert set(written["errors"][0]) == {"\ufffd"}


def test_a_newline_in_a_value_does_not_end_the_line() -> None:
    gap = Gap(
        source=Source.DAEMON, reason="a\nb", count=1, first_time="", last_time="", detail="\x1b["
    )

    written = encode(gap, AT)

    assert b"\n" not in written
    assert b"\x1b" not in written
    assert decode(as_line(written)).event == gap
