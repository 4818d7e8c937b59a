from __future__ import annotations

from nsledger.model.namespaces import NamespaceType
from nsledger.model.record import Record
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.state.findings import FindingCollector, Kind, Severity, Sighting
from tests.synthetic_node import example_node

POD = PodRef(pod_sandbox_id="p1", name="web")
APP = ContainerRef(container_id="c1", name="app")
RECORDS = example_node().decoded()


def sighting(record: Record, **more: object) -> Sighting:
    told: dict[str, object] = {
        "pod": POD,
        "container": APP,
        "types": (NamespaceType.PID,),
        "lasts": True,
    }
    return Sighting(
        Kind.HOST_NAMESPACE,
        Severity.LOW,
        "in {types}, {count}",
        record,
        **(told | more),  # type: ignore[arg-type]  # as the caller names them
    )


def test_the_same_thing_seen_again_is_one_finding_seen_longer() -> None:
    collector = FindingCollector()

    collector.enter(sighting(RECORDS[3]))
    collector.enter(sighting(RECORDS[7], types=(NamespaceType.NET,)))

    (one,) = collector.findings()
    assert one.summary == "in net pid, 2"
    assert (one.first_time, one.last_time) == (RECORDS[3].time, RECORDS[7].time)
    assert (one.records, one.count, one.ongoing) == ((4, 8), 2, True)


def test_the_worst_sighting_tells_the_severity() -> None:
    collector = FindingCollector()

    collector.enter(sighting(RECORDS[3]))
    collector.enter(
        Sighting(Kind.HOST_NAMESPACE, Severity.HIGH, "bad", RECORDS[4], POD, APP, lasts=True)
    )

    assert [(one.severity, one.summary) for one in collector.findings()] == [(Severity.HIGH, "bad")]


def test_what_tells_two_apart_keeps_them_apart() -> None:
    collector = FindingCollector()

    collector.enter(sighting(RECORDS[3]))
    collector.enter(sighting(RECORDS[3], what="x"))
    collector.enter(sighting(RECORDS[3], container=None))

    assert len(list(collector.findings())) == 3


def test_what_goes_on_ends_with_its_pod_or_its_container() -> None:
    for id_ in ("p1", "c1"):
        collector = FindingCollector()
        collector.enter(sighting(RECORDS[3]))

        collector.end("other", RECORDS[8].time)
        collector.end(id_, RECORDS[9].time)
        collector.end(id_, RECORDS[11].time)

        (one,) = collector.findings()
        assert (one.ongoing, one.last_time) == (False, RECORDS[9].time)


def test_what_turned_out_to_be_nothing_is_withdrawn() -> None:
    collector = FindingCollector()
    collector.enter(sighting(RECORDS[3]))

    collector.withdraw(sighting(RECORDS[3]).key)
    collector.end("p1", RECORDS[9].time)

    assert list(collector.findings()) == []


def test_of_very_many_records_the_first_and_the_last_are_named() -> None:
    collector = FindingCollector()
    for seq in range(1, 1001):
        record = Record(seq, "", RECORDS[0].time, 0, "", RECORDS[0].event)
        collector.enter(sighting(record))

    (one,) = collector.findings()
    assert one.count == 1000
    assert one.records == (*range(1, 33), *range(969, 1001))
