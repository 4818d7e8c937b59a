"""What to do when a ledger cannot be read: said by its readers, since other files fail too."""

from __future__ import annotations

import errno
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Final

from nsledger.errors import WrongUsageError
from nsledger.ledger.reader import entries, entries_backwards
from nsledger.model.instants import is_future, unix_ns
from nsledger.model.record import Record, decode, rfc3339
from nsledger.state import past
from nsledger.state.matrix import Matrix, pod_matrix
from nsledger.state.past import Past
from nsledger.state.pod import Pod
from nsledger.state.pods import AmbiguousPodError, UnknownPodError, find_pod

_NOT_YOURS: Final = "The ledger belongs to root: try again with sudo."
_NO_CHECKPOINTS: Final = (
    "`nsledger keygen` makes the keys; from its next start on `nsledger serve` writes them to "
    "its checkpoint_file."
)
_HINTS: Final = {
    errno.ENOENT: (
        "`nsledger serve` writes the ledger of this node; to read a copy, give --ledger PATH or "
        "set NSLEDGER_LEDGER."
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


def records(path: str) -> Iterator[Record]:
    """All records of the ledger at `path`, in order.

    Raises:
        LedgerError: there is no ledger, or a line in it is no entry.
        UnreadableRecordError: an entry is no record.
        OSError: it cannot be read.
    """
    for entry in entries(path):
        yield decode(entry.line)


def folded(ledger: str, at_ns: int | None) -> Past:
    """What the ledger at `ledger` tells of `at_ns`, in nanoseconds of Unix time; None is now.

    Raises:
        NothingYetError: the ledger begins later.
        NotYetError: the moment has not come yet.
        LedgerError, UnreadableRecordError, OSError: it cannot be read.
    """
    if at_ns is None:
        return past.now(records(ledger))
    at = rfc3339(at_ns)
    now_ns = time.time_ns()
    newest = next((decode(entry.line) for entry in entries_backwards(ledger)), None)
    last_ns = 0 if newest is None else unix_ns(newest.time)
    if is_future(at_ns, last_ns=last_ns, now_ns=now_ns):
        raise past.NotYetError(at=at, now=rfc3339(now_ns))
    newest_first = (decode(entry.line) for entry in entries_backwards(ledger))
    last_seq = past.last_seq_at(newest_first, at)
    return past.as_of(records(ledger), at=at, last_seq=last_seq)


def pod_in(ledger: str, asked: str, then: Past) -> Pod:
    """The one pod that `asked` means.

    Raises:
        WrongUsageError: it may be several; their names and ids are its details.
        UnknownPodError: no record tells of it; a note says when one does.
    """
    try:
        return find_pod(then.workloads, asked)
    except AmbiguousPodError as error:
        raise WrongUsageError(str(error), details=[_known_by(one) for one in error.pods]) from error
    except UnknownPodError as error:
        if then.at is not None:
            _note_when(error, ledger, asked)
        raise


def matrix_of(ledger: str, asked: str, at_ns: int | None, *, all_attempts: bool) -> Matrix:
    """The one pod that `asked` means as a matrix; raises what `folded` and `pod_in` raise."""
    then = folded(ledger, at_ns)
    return pod_matrix(
        pod_in(ledger, asked, then),
        then.workloads.host,
        all_attempts=all_attempts,
        at=then.at,
        unwatched=then.unwatched,
    )


def _known_by(pod: Pod) -> str:
    """All that a pod can be asked for by."""
    ended = "  ended" if pod.ended else ""
    return f"{pod.ref.full_name}  {pod.ref.pod_sandbox_id[:13]}  {pod.ref.uid}{ended}"


def _note_when(error: UnknownPodError, ledger: str, asked: str) -> None:
    """It may only be the moment that is wrong."""
    try:
        pod = find_pod(folded(ledger, None).workloads, asked)
    except (UnknownPodError, AmbiguousPodError):
        return
    until = f" until {pod.until}" if pod.until else ""
    error.add_note(f"{pod.ref.full_name} is on record from {pod.since or 'later'}{until}.")
