"""Which entries belong to which process: the fold that an index is written from.

It decides nothing about ownership. It only keeps together what `domain.ownership` has to see
together, and is generous: a process counts as open until a record that ends it for certain.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Final

from nsledger.index.entries import Numbers
from nsledger.index.skim import Container, Identity, Pod, Reading, Skimmed, Times, TypeName
from nsledger.index.sqlite_tables import CONTAINER, SANDBOX, TYPES, signed
from nsledger.model.events import Source
from nsledger.model.namespaces import NEW, canonical_path

Place = tuple[int, int, int | None]
"""Type, inode and namespace id, as the index stores them."""


class ProcessRow:
    """A sandbox or a container, for as long as its records follow one another.

    What comes after its end, or after it was let go, makes another row with the same id: a reader
    puts them together, so that the writer need not look anything up.
    """

    __slots__ = (
        "attempt",
        "container_id",
        "dirty",
        "entries",
        "first_seq",
        "known",
        "last_seq",
        "name",
        "names",
        "news",
        "of_host",
        "pid",
        "places",
        "pod",
        "reach_ns",
        "reading",
        "row",
        "shared",
        "since_ns",
        "stored_names",
        "stored_places",
        "until_ns",
    )

    def __init__(self, pod: PodRow, container: Container | None, seq: int) -> None:
        self.row = 0
        """Its id in the index; 0 before it has one."""
        self.pod = pod
        self.container_id = "" if container is None else container.container_id
        self.name = "" if container is None else container.name
        self.attempt = 0 if container is None else container.attempt
        self.pid = 0
        self.since_ns = 0
        """0 until a reading is in."""
        self.until_ns: int | None = None
        self.reach_ns: int | None = None
        self.first_seq = seq
        self.last_seq: int | None = None
        self.shared = 0
        self.of_host = 0
        self.entries: list[int] = []
        """Pointers, flat."""
        self.places: dict[Place, None] = {}
        self.stored_places = 0
        """How many of them, from the first on, have their rows."""
        self.names: dict[str, None] = {}
        self.stored_names = 0
        self.news: set[str] = set()
        """The types of which a new namespace was assigned to it."""
        self.reading: Reading | None = None
        """The last one: most are the same as the one before."""
        self.known = False
        """Whether more than its end is on record: only then does the fold take that as its end."""
        self.dirty = False

    @property
    def kind(self) -> int:
        """Of `schema`."""
        return CONTAINER if self.container_id else SANDBOX

    def end(self, seq: int, time_ns: int, clock_ns: int) -> None:
        """Its process is gone by the record `seq`; the first such note counts."""
        if self.last_seq is None:
            self.last_seq, self.until_ns, self.reach_ns = seq, time_ns, clock_ns


class PodRow:
    """A pod sandbox and those of its processes that still get records."""

    __slots__ = (
        "containers",
        "dirty",
        "ended",
        "first_seq",
        "noteworthy",
        "over_seq",
        "ref",
        "removed_seq",
        "row",
        "sandbox",
        "told",
    )

    def __init__(self, ref: Pod) -> None:
        self.ref = ref
        self.row = 0
        """Its id in the index; 0 before it has one, and for containers whose pod nobody told."""
        self.sandbox: ProcessRow | None = None
        self.containers: dict[str, ProcessRow] = {}
        self.ended = False
        self.first_seq = 0
        """Of the entries that tell of it; 0 before the first."""
        self.over_seq: int | None = None
        """From this entry on it is over for certain; None while it may be there."""
        self.removed_seq: int | None = None
        self.noteworthy = False
        """Whether a finding may be about it."""
        self.told: list[int] = []
        """Pointers to entries that tell of it, flat; those that are not stored yet."""
        self.dirty = False


_POD, _CONTAINER, _EITHER, _DAEMON = range(1, 5)
_ABOUT: Final = {
    "pod.assigned": _POD,
    "pod.stopped": _POD,
    "pod.removed": _POD,
    "container.assigned": _CONTAINER,
    "container.witnessed": _CONTAINER,
    "container.started": _CONTAINER,
    "container.stopped": _CONTAINER,
    "container.removed": _CONTAINER,
    "call.failed": _CONTAINER,
    "namespace.changed": _EITHER,
    "daemon.started": _DAEMON,
}
"""What a record of each event is about; of other events nothing is kept."""
_ENDS: Final = frozenset({"pod.stopped", "pod.removed", "container.stopped", "container.removed"})
_TYPE: Final = {str(type_): at for at, type_ in enumerate(TYPES)}
_REMEMBERED: Final = 4096
"""Removed containers and sandboxes whose late records are told from those of new ones."""
_NO_POD: Final = Pod()
_NOTHING: Final[dict[TypeName, str]] = {}


class Scan:
    """A fold over all entries of a ledger, in order; what it found since it was last written."""

    def __init__(self) -> None:
        self.boot_id = ""
        self.clock_ns = 0
        """The latest time told by any record: no interval on record ends later."""
        self.host: dict[TypeName, Identity] = {}
        self.pods: dict[str, PodRow] = {}
        """By `pod_sandbox_id`; under the empty one, containers of which no record told the pod."""

        self.changed: list[ProcessRow] = []
        self.hosts: list[tuple[Numbers, bool, Reading]] = []
        """With whether it told other namespaces than the one before."""
        self.boots: list[tuple[Numbers, str, int]] = []
        """The first record of each boot, its id and when it was."""
        self.odd: list[Numbers] = []

        self._named_boot_id = ""
        self.ns = functools.lru_cache(maxsize=8)(Times().ns)
        """Each time is asked for twice."""
        self.home: dict[str, PodRow] = {}
        """By `container_id`."""
        self.parked: dict[str, PodRow] = {}
        """By `pod_sandbox_id`: over, not removed yet, and without a process that may be there."""
        self.changed_pods: list[PodRow] = []
        self._removed: dict[str, None] = {}

    def apply(self, record: Skimmed, at: Numbers) -> None:
        """Take in the next record, which stands at `at`.

        Raises:
            NotAnInstantError: its time is none.
        """
        self.turn(record, at)
        about = _ABOUT.get(record.event)
        if about is None:
            return
        container = record.container
        if about == _CONTAINER or (about == _EITHER and container is not None):
            if container is not None and container.container_id:
                self._of_container(record, record.pod or _NO_POD, container, at)
        elif about == _DAEMON:
            self._daemon(record, at)
        elif record.pod is not None and record.pod.pod_sandbox_id:
            self._of_pod(record, record.pod, at)

    def turn(self, record: Skimmed, at: Numbers) -> None:
        """Take in that the record at `at` may be the first of another boot.

        Raises:
            NotAnInstantError: its time is none.
        """
        if record.boot_id != self.boot_id:
            self._boot(record, at)

    def go_on(self, boot_id: str, clock_ns: int, host: dict[TypeName, Identity]) -> None:
        """Go on where an index ends."""
        self.boot_id = self._named_boot_id = boot_id
        self.clock_ns, self.host = clock_ns, host

    def adopt(self, pod: PodRow, rows: Iterable[ProcessRow]) -> None:
        """Go on with a pod and its open processes, as an index had them."""
        id_ = pod.ref.pod_sandbox_id
        rows = list(rows)
        if id_ and not rows and pod.over_seq is not None:
            self.park(id_, pod)
            return
        if id_ or rows:
            self.pods[id_] = pod
        for row in rows:
            if row.container_id:
                pod.containers[row.container_id] = row
                self.home[row.container_id] = pod
            else:
                pod.sandbox = row

    def _boot(self, record: Skimmed, at: Numbers) -> None:
        """The first record of another boot ends everything."""
        time_ns = self._tick(record.time)
        self.boots.append((at, record.boot_id, time_ns))
        # A record without a boot's id ends what is known of processes, and no pod.
        is_other = self._named_boot_id not in {"", record.boot_id} and bool(record.boot_id)
        self._named_boot_id = record.boot_id or self._named_boot_id
        for id_, pod in self.pods.items():
            self._end_pod(pod, record.seq, time_ns)
            pod.sandbox = None
            pod.containers.clear()
            pod.ended = False
            if id_:
                self.park(id_, pod)
                if pod.over_seq is None and is_other:
                    pod.over_seq = record.seq
                    self.touch_pod(pod)
        self.pods.clear()
        self.home.clear()
        self._removed.clear()
        self.boot_id, self.host = record.boot_id, {}

    def _daemon(self, record: Skimmed, at: Numbers) -> None:
        reading = record.host or Reading(pid=0)
        self.hosts.append((at, reading.namespaces != self.host, reading))
        self.host = reading.namespaces

    def _of_pod(self, record: Skimmed, ref: Pod, at: Numbers) -> None:
        pod = self.pod(ref)
        sandbox = pod.sandbox
        if sandbox is None:
            sandbox = pod.sandbox = ProcessRow(pod, None, record.seq)
        time_ns = self._tick(record.time)
        if record.event == "pod.stopped" and record.source is Source.RECONCILE:
            pass  # its containers may run on, and are found by what they share with its sandbox
        elif record.event in _ENDS:
            self._end_pod(pod, record.seq, time_ns)
            pod.ended = True
            if record.event == "pod.removed":
                self._remove_pod(pod)
        else:
            if record.ips or record.netns_path or record.host_interfaces:
                path = canonical_path(record.netns_path)
                names = *record.ips, *record.host_interfaces, path
                sandbox.names.update(dict.fromkeys(names))
            if record.actual is not None:
                sandbox = pod.sandbox = self._read(sandbox, record, record.actual, time_ns)
        sandbox.entries += at
        self._touch(sandbox)

    def _of_container(self, record: Skimmed, ref: Pod, whose: Container, at: Numbers) -> None:
        id_, event = whose.container_id, record.event
        pod = self.home.get(id_)
        if pod is None:
            pod = self.home[id_] = self.pod(ref)
            container = pod.containers[id_] = ProcessRow(pod, whose, record.seq)
        else:
            container = pod.containers[id_]
            if ref.pod_sandbox_id and not pod.ref.pod_sandbox_id:
                del pod.containers[id_]
                pod = self.home[id_] = container.pod = self.pod(ref)
                pod.containers[id_] = container
        if not container.name:
            container.name = whose.name
        if not container.attempt:
            container.attempt = whose.attempt
        time_ns = self.ns(record.time)  # `_tick`, written out: most records come here
        if time_ns > self.clock_ns:  # noqa: PLR1730 - the same
            self.clock_ns = time_ns
        if event in _ENDS:
            if ref.pod_sandbox_id:  # of no pod, the fold takes it for open until it is reused
                container.end(record.seq, time_ns, self.clock_ns)
            if event == "container.removed":
                self._remove(id_, container)
        elif event != "call.failed":
            for name, what in (record.assigned or _NOTHING).items():
                if what == NEW:
                    container.news.add(name)
            if record.actual is not None:
                container = self._read(container, record, record.actual, time_ns)
            container.known = True
        container.entries += at
        if not container.dirty:
            self._touch(container)

    def _read(self, row: ProcessRow, record: Skimmed, reading: Reading, time_ns: int) -> ProcessRow:
        """Take in where the process is; the row that it belongs to now."""
        if record.hook_time:
            time_ns = min(time_ns, self._tick(record.hook_time))
        is_late = row.pod.ended or (row.known and row.last_seq is not None)
        is_late = is_late and not record.still_running
        if row.last_seq is not None:
            before = row
            row = self._another(row, record.seq)
            if record.still_running:
                row.since_ns, row.pid = before.since_ns, before.pid
        row.since_ns = min(row.since_ns or time_ns, time_ns)
        row.pid = row.pid or reading.pid
        if reading != row.reading:
            row.reading = reading
            self._place(row, reading)
        names_pod = record.pod is not None and record.pod.pod_sandbox_id
        if names_pod and (is_late or row.container_id in self._removed):
            # The fold closes it by the same record; of no pod, it may only be reused.
            row.end(record.seq, time_ns, self.clock_ns)
        return row

    def _place(self, row: ProcessRow, reading: Reading) -> None:
        sandbox = row.pod.sandbox if row.container_id else None
        if sandbox is not None and sandbox.last_seq is not None:
            sandbox = None
        shares = {} if sandbox is None else sandbox.places
        for name, identity in reading.namespaces.items():
            type_ = _TYPE[name]
            hosts = self.host.get(name)
            if (
                hosts is not None
                and identity.ino == hosts.ino
                and (identity.ns_id == hosts.ns_id or None in {identity.ns_id, hosts.ns_id})
            ):
                row.of_host |= 1 << type_
                continue
            place: Place = type_, identity.ino, signed(identity.ns_id)
            if place in shares and name not in row.news:
                row.shared |= 1 << type_
            else:
                row.places[place] = None
        if sandbox is not None and row.shared:
            sandbox.since_ns = min(sandbox.since_ns, row.since_ns)
            self._touch(sandbox)

    def _another(self, row: ProcessRow, seq: int) -> ProcessRow:
        """A row for what comes after the end of `row`."""
        whose = Container(row.container_id, row.name, row.attempt) if row.container_id else None
        other = ProcessRow(row.pod, whose, seq)
        other.known, other.news = row.known, row.news
        if whose is not None:
            row.pod.containers[row.container_id] = other
        return other

    def pod(self, ref: Pod) -> PodRow:
        """The row of the pod sandbox `ref`; of all containers without one, if it has no id."""
        id_ = ref.pod_sandbox_id
        pod = self.pods.get(id_) or self.parked.pop(id_, None)
        if pod is None:
            pod = self.pods[id_] = PodRow(ref if id_ else _NO_POD)
            pod.ended = id_ in self._removed
        elif pod.ref != ref and id_:
            self.pods[id_] = pod
            completed = _completed(pod.ref, ref)
            if completed != pod.ref:
                pod.ref = completed
                self.touch_pod(pod)
        else:
            self.pods[id_] = pod
        return pod

    def park(self, id_: str, pod: PodRow) -> None:
        """Remember which row a pod without processes has, until it is removed."""
        self.parked[id_] = pod
        if len(self.parked) > _REMEMBERED:
            del self.parked[next(iter(self.parked))]

    def touch_pod(self, pod: PodRow) -> None:
        """Its row has to be written."""
        if not pod.dirty:
            pod.dirty = True
            self.changed_pods.append(pod)

    def _end_pod(self, pod: PodRow, seq: int, time_ns: int) -> None:
        for row in (pod.sandbox, *pod.containers.values()):
            if row is not None and row.last_seq is None:
                row.end(seq, time_ns, self.clock_ns)
                self._touch(row)

    def _remove_pod(self, pod: PodRow) -> None:
        del self.pods[pod.ref.pod_sandbox_id]
        for id_, container in list(pod.containers.items()):
            self._remove(id_, container)
        pod.sandbox = None
        self._remember(pod.ref.pod_sandbox_id)

    def _remove(self, id_: str, container: ProcessRow) -> None:
        del self.home[id_], container.pod.containers[id_]
        if container.known:
            self._remember(id_)

    def _remember(self, id_: str) -> None:
        self._removed[id_] = None
        if len(self._removed) > _REMEMBERED:
            del self._removed[next(iter(self._removed))]

    def _touch(self, row: ProcessRow) -> None:
        if not row.dirty:
            row.dirty = True
            self.changed.append(row)

    def _tick(self, time: str) -> int:
        time_ns = self.ns(time)
        if time_ns > self.clock_ns:  # noqa: PLR1730 - max() is a call, a million times
            self.clock_ns = time_ns
        return time_ns


def _completed(one: Pod, other: Pod) -> Pod:
    return Pod(
        one.pod_sandbox_id,
        one.k8s_namespace or other.k8s_namespace,
        one.name or other.name,
        one.uid or other.uid,
        one.attempt or other.attempt,
    )
