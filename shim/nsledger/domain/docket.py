"""Findings while they are collected: the same thing seen again is one finding, seen longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from nsledger.domain.finding import Finding, Kind, Severity
from nsledger.domain.instant import unix_ns
from nsledger.domain.matrix import ORDER
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.record import Record
from nsledger.domain.workload import ContainerRef, PodRef

_RECORDS: Final = 32
"""Of the first and of the last records of a finding, that many are named."""

Key = tuple[Kind, str, str, str]
"""Kind, `pod_sandbox_id`, `container_id`, and what else tells one from another."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One record that shows something."""

    kind: Kind
    severity: Severity
    summary: str
    """With `{types}` and `{count}` where these are to be put in."""
    record: Record
    pod: PodRef | None = None
    container: ContainerRef | None = None
    types: Iterable[NamespaceType] = ()
    what: str = ""
    """What tells it from others of its kind and subject, such as the type or a reason."""
    count: int = 1
    since: str = ""
    """Where it began before the record's time."""
    lasts: bool = False
    """It goes on for as long as its process or pod lives."""

    @property
    def key(self) -> Key:
        """The same for what is the same finding."""
        pod_sandbox_id = self.pod.pod_sandbox_id if self.pod else ""
        container_id = self.container.container_id if self.container else ""
        return self.kind, pod_sandbox_id, container_id, self.what


@dataclass(slots=True)
class _Case:
    sighting: Sighting
    types: set[NamespaceType]
    count: int
    last_time: str
    ongoing: bool
    records: list[int] = field(default_factory=list[int])

    def see(self, again: Sighting) -> None:
        if self.sighting.severity.rank > again.severity.rank:
            self.sighting = again
        self.types.update(again.types)
        self.count += again.count
        self.last_time = max(self.last_time, again.record.time, key=unix_ns)
        self.ongoing = again.lasts
        self.records.append(again.record.seq)

    def finding(self, first_time: str) -> Finding:
        told = self.sighting
        types = tuple(type_ for type_ in ORDER if type_ in self.types)
        records = list(dict.fromkeys(self.records))
        if len(records) > 2 * _RECORDS:
            records = records[:_RECORDS] + records[-_RECORDS:]
        return Finding(
            kind=told.kind,
            severity=told.severity,
            pod=told.pod,
            container=told.container,
            types=types,
            summary=told.summary.replace("{types}", " ".join(types)).replace(
                "{count}", str(self.count)
            ),
            count=self.count,
            first_time=first_time,
            last_time=self.last_time,
            ongoing=self.ongoing,
            records=tuple(records),
            remedy=told.kind.remedy,
        )


class Docket:
    """All that was found so far."""

    def __init__(self) -> None:
        self._cases: dict[Key, _Case] = {}
        self._first: dict[Key, str] = {}
        self._living: dict[str, list[Key]] = {}
        """Keys of what goes on, by the id of its pod and of its container."""

    def enter(self, sighting: Sighting) -> None:
        """Take in one sighting."""
        key = sighting.key
        case = self._cases.get(key)
        if case is None:
            self._first[key] = sighting.since or sighting.record.time
            case = self._cases[key] = _Case(
                sighting, set(sighting.types), sighting.count, sighting.record.time, sighting.lasts
            )
            case.records.append(sighting.record.seq)
        else:
            case.see(sighting)
        if sighting.lasts:
            for id_ in {key[1], key[2]} - {""}:
                self._living.setdefault(id_, []).append(key)

    def withdraw(self, key: Key) -> None:
        """It turned out to be nothing."""
        self._cases.pop(key, None)

    def end(self, id_: str, time: str) -> None:
        """A pod or a container is gone, and what went on with it."""
        for key in self._living.pop(id_, ()):
            case = self._cases.get(key)
            if case is not None and case.ongoing:
                case.ongoing, case.last_time = False, max(case.last_time, time, key=unix_ns)

    def end_all(self, time: str) -> None:
        """The node was restarted."""
        for id_ in list(self._living):
            self.end(id_, time)

    def findings(self) -> Iterator[Finding]:
        """All that stands, in the order in which it was first seen."""
        for key, case in self._cases.items():
            yield case.finding(self._first[key])
