"""How a command reads a ledger: through its index, checked, and with a word about damage.

    with reading(ledger) as found:
        then = found.ask(lambda records: records.past(records.there(None), at=None))
        ...                              # write the answer
        return found.status(exit_codes.OK)

What is read is hashed. Where an entry is not what it was indexed as, or what is behind the index
does not follow it, the index is built anew from the lines as they stand, which finds the first bad
entry; what does not follow the entry before is left out, the rest is told, and the exit status says
so. A ledger that is small is walked whole before anything else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Final, Self, TypeVar

import click

from nsledger.cli import errors, exit_codes
from nsledger.errors import NsledgerError, WrongUsageError
from nsledger.index.builder import Progress
from nsledger.index.entries import EntryChangedError
from nsledger.index.opening import NAME, Index, existing, opened
from nsledger.index.records import Records
from nsledger.ledger import place
from nsledger.ledger.errors import LedgerDamagedError, NotAnEntryError
from nsledger.ledger.line import Entry, digest_of
from nsledger.ledger.verify import verify
from nsledger.model.instants import is_future, unix_ns
from nsledger.model.record import Record, rfc3339
from nsledger.state.matrix import Matrix, pod_matrix
from nsledger.state.past import NotYetError, Past
from nsledger.state.pod import Pod
from nsledger.state.pods import AmbiguousPodError, UnknownPodError, find_pod

_LONG_BYTES = 32 << 20
"""Less is read before a bar could be."""


@contextmanager
def progress(ledger: str, label: str) -> Generator[Progress | None]:
    """A bar on standard error, drawn when there is something to tell; None where nobody sees it."""
    size_bytes = place.find(ledger).size_bytes
    if size_bytes < _LONG_BYTES or not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as drawn:
        bars: list[Progress] = []

        def tell(read_bytes: int) -> None:
            if not bars:
                bar = click.progressbar(
                    length=size_bytes, label=label, file=sys.stderr, show_pos=False, width=0
                )
                bars.append(drawn.enter_context(bar).update)
            bars[0](read_bytes)

        yield tell


def cache_directory() -> str | None:
    """Where indexes that took long are kept (XDG Base Directory); None without a home."""
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(cache):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return None
        cache = os.path.join(home, ".cache")
    return os.path.join(cache, "nsledger")


T = TypeVar("T")

_FOLDED_BYTES: Final = 256 << 10
"""A ledger of that size is folded as quickly as an index of it is made."""
_WALKED_BYTES: Final = 16 << 20
"""A ledger of that size is walked whole in a twentieth of a second."""

_NOT_YOURS: Final = "The ledger belongs to root: try again with sudo."
_NO_CHECKPOINTS: Final = (
    "`nsledger keygen` makes the keys; from its next start on `nsledger serve` writes them to "
    "its checkpoint_file."
)
_HINTS: Final = {
    errno.ENOENT: (
        "Nothing is recorded on this node yet. `nsledger snapshot` looks once, with nothing "
        "installed; `nsledger install --dry-run` shows what recording takes. To read a copy of a "
        "ledger, give --ledger PATH or set NSLEDGER_LEDGER."
    ),
    errno.EACCES: _NOT_YOURS,
    errno.EPERM: _NOT_YOURS,
    errno.ELOOP: "A segment that is a symbolic link is not followed: give the real directory.",
}


@contextmanager
def reading_a_ledger() -> Generator[None]:
    """Add what to do as a note to an error of the system that is about a file."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0)
        told = hasattr(error, "__notes__")  # by who knows which file it was
        if hint is not None and error.filename is not None and not told:
            error.add_note(hint)
        raise


@contextmanager
def reading_checkpoints() -> Generator[None]:
    """The same where checkpoints and their key are read."""
    try:
        yield
    except FileNotFoundError as error:
        error.add_note(_NO_CHECKPOINTS)
        raise


class DamagedLedgerError(NsledgerError):
    """The ledger is not what was written. What is told rests on the entries that still follow."""

    hint = (
        "What does not follow the entry before it was left out. Keep the directory as evidence; "
        "`nsledger verify` tells what can be relied on."
    )

    def __init__(self, *, damage: str) -> None:
        super().__init__(f"the ledger is damaged: {damage}")


class Reading:
    """One command's look at one ledger. Belongs to one thread; made by `reading`."""

    def __init__(self, ledger: str) -> None:
        self.ledger = ledger
        self.damage = ""
        """The first entry that is not what was written, and how; empty as long as none was met."""
        self._held = ExitStack()
        self._index: Index | None = None
        self._anew = False

    def __enter__(self) -> Self:
        if place.find(self.ledger).size_bytes <= _WALKED_BYTES:
            self.walk()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if self.damage and isinstance(error, NsledgerError):
            errors.report(DamagedLedgerError(damage=self.damage))
            error.exit_status = exit_codes.FOUND

    @property
    def is_young(self) -> bool:
        """Whether all there is may as well be folded: it is little, and nobody indexed it."""
        is_small = place.find(self.ledger).size_bytes <= _FOLDED_BYTES
        return is_small and not os.path.exists(os.path.join(self.ledger, NAME))

    def close(self) -> None:
        """Let the index go; the next question opens it again."""
        self._index = None
        self._held.close()

    def walk(self) -> None:
        """Follow the chain through the whole ledger, unless it is known to be damaged."""
        if self.damage:
            return
        try:
            verify(self.ledger)
        except LedgerDamagedError as error:
            self.damage = str(error)
            self._anew = True

    def ask(self, question: Callable[[Records], T]) -> T:
        """What `question` makes of the records that it selects.

        Raises:
            LedgerError: there is no ledger.
            UnreadableRecordError: an entry is no record.
            OSError: it cannot be read.
        """
        try:
            return question(self._records())
        except (EntryChangedError, NotAnEntryError):
            if self._anew:
                raise
            self.close()
            self._anew = True
            found = question(self._records())
            if not self.damage:
                sys.stderr.write("nsledger: the index was not what it was built as: built anew\n")
            return found

    def ask_if_indexed(self, question: Callable[[Records], T]) -> T | None:
        """As `ask`, if that needs no index to be built first; else None."""
        if self._index is None and not self._anew:
            with existing(self.ledger, cache=cache_directory()) as index:
                if index is None:
                    return None
        return self.ask(question)

    def met(self, error: NotAnEntryError) -> None:
        """A line is no entry: see what is wrong with the ledger."""
        self.walk()
        self.damage = self.damage or str(error)

    def everything(self) -> Iterator[Record]:
        """All records, without an index."""
        self.walk()
        return Records.without_index(self.ledger)

    def followed(self, entries: Iterator[Entry], *, backwards: bool = False) -> Iterator[Entry]:
        """`entries` as they come; the whole ledger is walked if two of them do not follow."""
        before: Entry | None = None
        for entry in entries:
            if before is not None and not self.damage:
                one, other = (entry, before) if backwards else (before, entry)
                if (
                    other.seq == one.seq + 1 and other.prev != digest_of(one.line)
                ) or other.seq != one.seq + 1:
                    self.walk()
            before = entry
            yield entry

    def status(self, code: int) -> int:
        """The exit status of a command that would end with `code`; says what is damaged."""
        if not self.damage:
            return code
        errors.report(DamagedLedgerError(damage=self.damage))
        return exit_codes.FOUND

    def _records(self) -> Records:
        if self._index is None:
            told = self._held.enter_context(progress(self.ledger, "indexing"))
            self._index = self._held.enter_context(
                opened(self.ledger, cache=cache_directory(), progress=told, anew=self._anew)
            )
            self.damage = self.damage or self._index.reached.damage
            if self._index.passed_over:
                sys.stderr.write(f"nsledger: {self._index.passed_over}: built anew\n")
        return Records(self._index.database, self._index.reached, self.ledger)


@contextmanager
def reading(ledger: str) -> Generator[Reading]:
    """A command's look at the ledger at `ledger`, with what to do where that fails."""
    with reading_a_ledger(), Reading(ledger) as found:
        yield found


_KEPT_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.1
"""At a ledger that had not gone on: a look lists its directory."""
_TIMES_ITS_MAKING: Final = 20
"""An index that had to be built is kept longer: of its own time no more than a twentieth."""
_QUICK_S: Final = 0.05
"""Opening one that is there takes less."""


class FreshReading:
    """A reading for a command that goes on and on: never far behind the ledger.

    A reader sees the index as it was when it was opened, and what came since it reads from the
    ledger, each time. So it is opened anew once the ledger has gone on; and let go while nobody
    asks, since an open reader keeps the daemon's log of the index from being used again.
    """

    def __init__(self, found: Reading) -> None:
        self._reading = found
        self._of_bytes = 0
        self._took_s = 0.0
        self._renew_at_s = 0.0
        self._is_open = False

    def ask(self, question: Callable[[Records], T]) -> T:
        """As `Reading.ask`, of the ledger as it is now or was a moment ago."""
        began_s = time.monotonic()
        ledger = self._reading.ledger
        if self._is_open and began_s >= self._renew_at_s:
            self._renew_at_s = began_s + _LOOK_AGAIN_S
            if place.find(ledger).size_bytes != self._of_bytes:
                self._close()
        is_new = not self._is_open
        if is_new:
            self._of_bytes = place.find(ledger).size_bytes
            self._is_open = True
        answer = self._reading.ask(question)
        if is_new:
            self._took_s = time.monotonic() - began_s
            self._renew_at_s = began_s + max(_KEPT_S, _TIMES_ITS_MAKING * self._took_s)
        return answer

    def rest(self) -> None:
        """Nobody asks for a while. An index that only this process has is kept."""
        if self._took_s < _QUICK_S:
            self._close()

    def _close(self) -> None:
        self._is_open = False
        self._reading.close()


def moment(found: Reading, at_ns: int | None) -> str | None:
    """`at_ns`, in nanoseconds of Unix time, as the records write it; None is now.

    Raises:
        NotYetError: it has not come yet.
    """
    if at_ns is None:
        return None
    last, now_ns = found.ask(lambda records: records.last()), time.time_ns()
    last_ns = 0 if last is None else unix_ns(last.time)
    if is_future(at_ns, last_ns=last_ns, now_ns=now_ns):
        raise NotYetError(at=rfc3339(at_ns), now=rfc3339(now_ns))
    return rfc3339(at_ns)


def past_of_pod(found: Reading, asked: str, at_ns: int | None) -> tuple[Pod, Past]:
    """The one pod that `asked` means at `at_ns`, in nanoseconds of Unix time; None is now.

    Raises:
        NothingYetError: the ledger begins later.
        WrongUsageError: it may be several; their names and ids are its details.
        UnknownPodError: no record tells of it; a note says when one does.
    """
    at = moment(found, at_ns)
    then = found.ask(lambda records: records.past(records.called(asked), at=at))
    try:
        return find_one(found, asked, then), then
    except UnknownPodError:
        name = _only_name_that_begins(found, asked)
        if name is None:
            raise
    then = found.ask(lambda records: records.past(records.called(name), at=at))
    return find_one(found, name, then), then


def _only_name_that_begins(found: Reading, asked: str) -> str | None:
    """The one pod, of the newest, whose name begins with `asked`; None if none does.

    Raises:
        WrongUsageError: several do.
    """
    known = found.ask(lambda records: records.names())
    if asked in known:  # such a pod is on record, and was not there at the moment that is meant
        return None
    names = {
        full
        for full in known
        if "/" in full and (full if "/" in asked else full.partition("/")[2]).startswith(asked)
    }
    if len(names) > 1 and asked:
        raise WrongUsageError(
            f"{asked!r} begins the names of {len(names)} pods, needed one", details=sorted(names)
        )
    return names.pop() if names and asked else None


def find_one(found: Reading, asked: str, then: Past) -> Pod:
    """The one pod that `asked` means of those in `then`; raises what `past_of_pod` raises."""
    try:
        return find_pod(then.workloads, asked)
    except AmbiguousPodError as error:
        raise WrongUsageError(str(error), details=[_known_by(one) for one in error.pods]) from error
    except UnknownPodError as error:
        known = None if then.at is None else then.last_seq
        count, names = found.ask(lambda records: (records.count(known), records.names()))
        unknown = UnknownPodError(asked=asked, on_record=count, names=names)
        if then.at is not None:
            _note_when(unknown, found, asked)
        raise unknown from error


def matrix_of(found: Reading, asked: str, at_ns: int | None, *, all_attempts: bool) -> Matrix:
    """The one pod that `asked` means as a matrix; raises what `past_of_pod` raises."""
    pod, then = past_of_pod(found, asked, at_ns)
    return pod_matrix(
        pod,
        then.workloads.host,
        all_attempts=all_attempts,
        at=then.at,
        unwatched=then.unwatched,
    )


def _known_by(pod: Pod) -> str:
    """All that a pod can be asked for by."""
    ended = "  ended" if pod.ended else ""
    return f"{pod.ref.full_name}  {pod.ref.pod_sandbox_id[:13]}  {pod.ref.uid}{ended}"


def _note_when(error: UnknownPodError, found: Reading, asked: str) -> None:
    """It may only be the moment that is wrong."""
    with contextlib.suppress(UnknownPodError, WrongUsageError):
        pod, _ = past_of_pod(found, asked, None)
        until = f" until {pod.until}" if pod.until else ""
        error.add_note(f"{pod.ref.full_name} is on record from {pod.since or 'later'}{until}.")
