"""The holes in the record, found while an index is written.

It is the fold of `domain.unwatched` over the few records that can tell of one. What is about a pod
only shows that somebody watched until then, so the last one before something else happens stands
for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from nsledger.domain.record import Record, UnreadableRecordError, decode
from nsledger.domain.unwatched import Unwatched, Watch
from nsledger.index.pointer import Numbers, Pointer

ABOUT_PODS: Final = frozenset(
    {
        "pod.requested",
        "pod.assigned",
        "pod.stopped",
        "pod.removed",
        "container.requested",
        "container.assigned",
        "container.witnessed",
        "container.started",
        "container.stopped",
        "container.removed",
        "namespace.changed",
        "call.failed",
    }
)
_MOST: Final = 64
"""Records in a row that are about no pod: of more, a reader needs only the newest."""


class Hole(NamedTuple):
    """A hole, and the entries that tell of it."""

    told: Unwatched
    entries: tuple[Pointer, ...]


class Watching:
    """Holes that were found since they were last written."""

    def __init__(self, recent: Iterable[tuple[Pointer, Record]] = ()) -> None:
        self.holes: list[Hole] = []
        self.last: tuple[Numbers, bytes] | None = None
        """The last record about a pod and its line; whoever builds puts it here."""
        self._watch = Watch()
        self._recent: dict[int, Pointer] = {}
        for at, record in recent:
            self._recent[at.seq] = at
            self._watch.apply(record)

    def apply(self, at: Pointer, line: bytes) -> None:
        """Take in a record that is about no pod."""
        self.catch_up()
        self._feed(at, line)
        while len(self._recent) > _MOST:
            del self._recent[next(iter(self._recent))]

    def catch_up(self) -> None:
        """Take in the last record about a pod."""
        if self.last is not None:
            self._recent.clear()
            at, line = self.last
            self._feed(Pointer(*at), line)
            self.last = None

    @property
    def recent(self) -> list[Pointer]:
        """What a fold over later records has to begin with."""
        return list(self._recent.values())

    def _feed(self, at: Pointer, line: bytes) -> None:
        try:
            record = decode(line)
        except UnreadableRecordError:
            return  # whoever asks will be told
        self._recent[at.seq] = at
        hole = self._watch.apply(record)
        if hole is not None:
            known = (self._recent.get(seq) for seq in hole.evidence)
            self.holes.append(Hole(hole, tuple(one for one in known if one is not None)))
