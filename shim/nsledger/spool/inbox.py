"""Hook records on their way from the spool directory into the ledger.

A file is claimed for this process by the lock on its directory, offered once, and removed after
its record got into the ledger. If the daemon dies between the two, the next one finds the file
again: it knows the record by container, process and moment (`remember`) and drops the copy. If the
record could not be written, the file stays, and is offered again.

Order: within one look by the hooks' own clock; over several looks, none is promised. The ledger's
sequence says when the daemon took a record in, `hook_time` when the hook ran.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from nsledger.model.events import ContainerWitnessed
from nsledger.model.record import Moment
from nsledger.recorder.ticket import RecordLostError
from nsledger.spool.directory import COUNTED_NAME, RefusedError, SpoolDirectory
from nsledger.spool.hook_record import HookRecord

LOOK_LIMIT: Final = 256
"""Records offered at one time."""
REMEMBERED: Final = 4096
"""Witnessed starts that are known again."""
UNFINISHED_AFTER_NS: Final = 60_000_000_000
"""A hook has a deadline of seconds; what is unfinished by then was killed."""

_SHOWN_CHARS: Final = 128

_Key = tuple[str, int | None, int | None, str]


@dataclass(frozen=True, slots=True)
class Left:
    """One record that a hook left."""

    event: ContainerWitnessed
    settle: Callable[[Exception | None], None]
    """Say, from any thread, that it is in the ledger (None: the file goes) or why not (it stays).

    Record it with `retry=False`: the file is the copy that is tried again.
    """


class Inbox:
    """What hooks left in a directory. Belongs to one thread, all but `Left.settle`."""

    def __init__(
        self,
        path: str,
        *,
        now: Callable[[], Moment],
        on_refused: Callable[[str, str], None],
        on_missed: Callable[[int], None],
    ) -> None:
        """Nothing is opened yet.

        Args:
            path: The spool directory.
            now: The moment; of its boot must be what is taken in.
            on_refused: Called with a reason and a harmless form of the name for everything that is
                moved aside. The reasons begin with `spool_`.
            on_missed: Called with how many hooks found the directory full and left no record.
        """
        self._path = path
        self._now = now
        self._on_refused = on_refused
        self._on_missed = on_missed
        self._directory: SpoolDirectory | None = None
        self._directory_refused = False
        self._settled: deque[tuple[str, Exception | None]] = deque()
        """From the recorder's thread, which is not to wait for this directory."""
        self._in_hand: dict[str, _Key] = {}
        """By file name: offered, and not settled yet."""
        self._known: dict[_Key, None] = {}
        """In the ledger, oldest first."""
        self._stuck: set[str] = set()
        """File names that can be neither moved nor removed; the next daemon tries again."""

    def remember(self, event: ContainerWitnessed) -> None:
        """Know a record that is in the ledger, so that a copy of it is dropped."""
        self._remember(_key(event))

    def take_in(self) -> list[Left]:
        """What is there and was not offered yet, at most `LOOK_LIMIT` records.

        Empty while another daemon has the directory.

        Raises:
            OSError: the directory cannot be made, opened or listed.
        """
        directory = self._claimed()
        if directory is None:
            return []
        self._clear_settled(directory)
        self._count_missed(directory)
        names = directory.names()
        now = self._now()
        found: list[tuple[int, Left]] = []
        for name in names.records:
            if len(found) == LOOK_LIMIT:
                break
            if name not in self._in_hand and name not in self._stuck:
                self._look_at(name, directory, now.boot_id, found)
        for name in names.unfinished:
            self._look_at_unfinished(name, directory, now.time_ns)
        for name in names.strange:
            if name not in self._stuck:
                self._set_aside(name, directory, "strange_name")
        return [left for _, left in sorted(found, key=lambda timed: timed[0])]

    def close(self) -> None:
        """Clear what is settled, and let another daemon in. Best after the recorder was closed."""
        if self._directory is not None:
            self._clear_settled(self._directory)
            self._directory.close()
            self._directory = None

    def _claimed(self) -> SpoolDirectory | None:
        if self._directory is not None and not self._directory.is_at(self._path):
            self._directory.close()  # hooks leave their records in the one that is there now
            self._directory = None
        if self._directory is None:
            try:
                self._directory = SpoolDirectory.open(self._path)
            except RefusedError as error:
                if not self._directory_refused:
                    self._on_refused(f"spool_{error.reason}", "")
                self._directory_refused = True
        return self._directory

    def _count_missed(self, directory: SpoolDirectory) -> None:
        if COUNTED_NAME in self._stuck:
            return
        try:
            missed = directory.missed()
        except RefusedError as error:
            self._set_aside(COUNTED_NAME, directory, error.reason)
        except OSError:
            return  # the next look tries again
        else:
            if missed:
                self._on_missed(missed)

    def _look_at(
        self, name: str, directory: SpoolDirectory, boot_id: str, found: list[tuple[int, Left]]
    ) -> None:
        try:
            record = HookRecord.parse(directory.read(name), boot_id=boot_id)
            event = record.event()
        except FileNotFoundError:
            return
        except RefusedError as error:
            self._set_aside(name, directory, error.reason)
            return
        except OSError:
            self._set_aside(name, directory, "unreadable")
            return
        except Exception:  # noqa: BLE001 - whatever one file does, the next one is taken in
            self._set_aside(name, directory, "unreadable")
            return
        key = _key(event)
        if key in self._known or key in self._in_hand.values():
            self._remove(name, directory)
            return
        self._in_hand[name] = key
        found.append((record.time_ns, Left(event, partial(self._settle, name))))

    def _look_at_unfinished(self, name: str, directory: SpoolDirectory, now_ns: int) -> None:
        try:
            age_ns = directory.age_ns(name, now_ns)
        except FileNotFoundError:
            return
        if age_ns > UNFINISHED_AFTER_NS and name not in self._stuck:
            self._set_aside(name, directory, "unfinished")

    def _settle(self, name: str, error: Exception | None) -> None:
        self._settled.append((name, error))

    def _clear_settled(self, directory: SpoolDirectory) -> None:
        while self._settled:
            name, error = self._settled.popleft()
            key = self._in_hand.pop(name)
            if error is None:
                self._remember(key)
                self._remove(name, directory)
            elif isinstance(error, RecordLostError) and error.for_good:
                self._set_aside(name, directory, error.reason)

    def _remember(self, key: _Key) -> None:
        self._known[key] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def _set_aside(self, name: str, directory: SpoolDirectory, reason: str) -> None:
        try:
            directory.quarantine(name, reason)
        except OSError:
            self._stuck.add(name)
        harmless = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in name)
        self._on_refused(f"spool_{reason}", harmless[:_SHOWN_CHARS])

    def _remove(self, name: str, directory: SpoolDirectory) -> None:
        try:
            directory.remove(name)
        except OSError:
            self._stuck.add(name)


def _key(event: ContainerWitnessed) -> _Key:
    actual = event.actual
    return (
        event.container.container_id,
        None if actual is None else actual.pid,
        None if actual is None else actual.start_ticks,
        event.hook_time,
    )
