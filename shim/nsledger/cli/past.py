"""A ledger folded for a command, now or `--at` a moment, and the one pod that is asked for."""

from __future__ import annotations

from nsledger.cli.failure import WrongUsageError
from nsledger.cli.records import records
from nsledger.domain import past
from nsledger.domain.matrix import Matrix
from nsledger.domain.past import Past
from nsledger.domain.pod import Pod
from nsledger.domain.pod_lookup import AmbiguousPodError, UnknownPodError, find_pod
from nsledger.domain.pod_matrix import pod_matrix
from nsledger.domain.record import decode, rfc3339
from nsledger.ledger.backwards import entries_backwards


def folded(ledger: str, at_ns: int | None) -> Past:
    """What the ledger at `ledger` tells of `at_ns`, in nanoseconds of Unix time; None is now.

    Raises:
        NothingYetError: the ledger begins later.
        LedgerError, UnreadableRecordError, OSError: it cannot be read.
    """
    if at_ns is None:
        return past.now(records(ledger))
    at = rfc3339(at_ns)
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
