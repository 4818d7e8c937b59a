"""Whether a ledger is what was written: every entry follows the one before, up to what was signed.

Trusts nothing but the bytes, needs no lock, holds one line at a time, and may run beside the
writer. What the chain alone cannot show: a last entry that was changed, a tail that was cut off, a
ledger that was rewritten with new hashes from some entry to its end. Checkpoints show these.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from nsledger.ledger import place
from nsledger.ledger.checkpoint import Checkpoint, Marks
from nsledger.ledger.errors import Damage, LedgerDamagedError, LedgerError
from nsledger.ledger.line import Head
from nsledger.ledger.place import Place
from nsledger.ledger.pruned import Pruned
from nsledger.ledger.reader import id_told_by
from nsledger.ledger.walk import (
    Early,
    Note,
    Progress,
    check_mark,
    first_entry,
    out_of_sequence,
    walk,
    walked_ahead,
)


class NothingComparedError(LedgerError):
    """Checkpoints were given, and none of them is of an entry that is here."""

    hint = "Verify with the newest checkpoints, or without any."

    def __init__(self, *, path: str, before: Head, head: Head) -> None:
        super().__init__(
            f"{path}: found no checkpoint of entries {max(1, before.seq)} to {head.seq}, needed one"
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class Verified:
    """What a ledger without damage says about itself."""

    before: Head
    """What its first entry follows: GENESIS, or what a lone later segment claims it follows."""
    head: Head
    unfinished_bytes: int
    """After the last newline: a line being written just now, or torn by a crash."""
    signed_through: int = 0
    """The newest entry that a checkpoint vouches for, and with it all before; 0 without any."""
    compared: int = 0
    """Checkpoints whose entry is here and is the one that was signed."""
    notes: tuple[Note, ...] = ()
    """What entries tell of others that were removed, moved aside or are not vouched for."""


def verify(
    path: str,
    *,
    checkpoints: Sequence[Checkpoint] = (),
    progress: Progress | None = None,
    processes: int = 1,
) -> Verified:
    """Walk the whole ledger at `path`; where it ends.

    Time O(bytes), memory O(longest line) in each process.

    Args:
        path: Its directory, or one segment.
        checkpoints: What it must hold. Their signatures were checked; they were read before this
            call, so that a ledger that grows meanwhile is not taken for one that was cut.
        progress: Called with each number of bytes read.
        processes: How many may walk segments at the same time; the outcome is the same.

    Raises:
        LedgerDamagedError: at the first entry that does not follow, or is not what was signed.
        NothingComparedError: checkpoints, and none of what is here.
        NoLedgerError: there is none.
        OSError: a segment cannot be read.
    """
    marks = Marks.of(checkpoints)
    ledger, verified = _walk_what_is_there(path, checkpoints, processes, progress)
    if os.path.isdir(path):
        _refuse_shorter(path, verified, marks)
    if checkpoints and not verified.compared:
        raise NothingComparedError(path=path, before=ledger.before, head=verified.head)
    return verified


def _walk_what_is_there(
    path: str, checkpoints: Sequence[Checkpoint], processes: int, progress: Progress | None
) -> tuple[Place, Verified]:
    """From where the ledger begins; again, if it begins later by the time a segment is needed."""
    marks = Marks.of(checkpoints)
    while True:
        ledger = place.find(path)
        try:
            with contextlib.closing(_ahead(ledger, marks, processes)) as ahead:
                return ledger, _walk_all(ledger, checkpoints, marks, ahead, progress)
        except FileNotFoundError:
            if place.find(path).before.seq <= ledger.before.seq:
                raise


def _ahead(ledger: Place, marks: Marks, processes: int) -> Generator[Early | None]:
    """What other processes found out about each segment."""
    if processes > 1 and len(ledger.segments) > 1:
        yield from walked_ahead(ledger.segments, marks, processes)


def _walk_all(
    ledger: Place,
    checkpoints: Sequence[Checkpoint],
    marks: Marks,
    ahead: Iterator[Early | None],
    progress: Progress | None,
) -> Verified:
    head, unfinished, signed = ledger.before, 0, 0
    if ledger.pruned_error is not None:
        raise LedgerDamagedError(
            damage=Damage.MISSING,
            seq=1,
            path=ledger.segments[0][1],
            line_number=0,
            detail=str(ledger.pruned_error),
        )
    notes: list[Note] = []
    for mark in marks.within(head.seq - 1, head.seq).marks:
        check_mark(mark, head.digest, ledger.segments[0][1], 0, signed)
        signed = head.seq
    for first_seq, segment_path in ledger.segments:
        if unfinished or first_seq != head.seq + 1:
            damage, detail = (
                (
                    Damage.NOT_AN_ENTRY,
                    f"the segment before ends with {unfinished} bytes of an unfinished line",
                )
                if unfinished
                else out_of_sequence(head, first_seq)
            )
            raise LedgerDamagedError(
                damage=damage,
                seq=head.seq + 1,
                path=segment_path,
                line_number=1,
                detail=detail,
                signed_through=signed,
            )
        if head == ledger.before:
            _refuse_others(ledger, segment_path, checkpoints)
        early = next(ahead, None)
        if early is not None and early.before == head:
            walked = early.walked
            if progress is not None:
                progress(early.size_bytes)
        else:
            walked = walk(segment_path, head, marks=marks, signed_through=signed, progress=progress)
        head, unfinished = walked.head, walked.unfinished_bytes
        signed = max(signed, walked.signed_through)
        notes += walked.notes
    if ledger.pruned is not None:
        believed = signed if checkpoints else head.seq
        _refuse_undeclared(ledger.pruned, ledger.segments[0][1], notes, believed)
    return Verified(
        before=ledger.before,
        head=head,
        unfinished_bytes=unfinished,
        signed_through=signed,
        compared=len(marks.within(ledger.before.seq - 1, head.seq).marks),
        notes=tuple(notes),
    )


def _refuse_undeclared(pruned: Pruned, path: str, notes: Sequence[Note], believed: int) -> None:
    """`pruned.json` is no evidence of its own: the chain has to say the same.

    Where there are checkpoints, an entry behind the newest, which anybody may have put there, is
    none either: `believed` is the last that counts.
    """
    says_so = [
        note.seq
        for note in notes
        if note.event == "ledger.pruned" and Head(note.through_seq, note.digest) == pruned.before
    ]
    if says_so and says_so[0] <= believed:
        return
    reason = (
        f"record {says_so[0]} says so, which no checkpoint covers: the newest is of {believed}"
        if says_so
        else "no ledger.pruned record does"
    )
    raise LedgerDamagedError(
        damage=Damage.MISSING,
        seq=1,
        through_seq=pruned.first_seq - 1,
        path=path,
        line_number=1,
        detail=(
            f"pruned.json says that entries up to {pruned.first_seq - 1} were removed by rule, "
            f"and {reason}"
        ),
    )


def _refuse_others(ledger: Place, path: str, checkpoints: Sequence[Checkpoint]) -> None:
    """A checkpoint of another ledger says that this one was put in its place.

    Where the first entry is damaged, that is to be said, and what it says is worth nothing.
    """
    line = first_entry(path, ledger.before) if checkpoints else None
    if line is None:
        return
    ours = ledger.pruned.ledger_id or None if ledger.pruned else id_told_by(line)
    other = next((one for one in checkpoints if ours not in {None, one.ledger_id}), None)
    if other is not None:
        raise LedgerDamagedError(
            damage=Damage.FOREIGN,
            seq=1,
            path=path,
            line_number=0,
            detail=(
                f"this is ledger {ours}; entry {other.head.seq} of ledger {other.ledger_id} "
                f"was signed at {other.time}"
            ),
        )


def _refuse_shorter(path: str, verified: Verified, marks: Marks) -> None:
    """A checkpoint of a later entry says that this ledger was longer."""
    beyond = marks.within(verified.head.seq, None).marks
    if beyond:
        raise LedgerDamagedError(
            damage=Damage.TRUNCATED,
            seq=verified.head.seq + 1,
            through_seq=beyond[-1].head.seq,
            path=path,
            line_number=0,
            detail=(
                f"it ends with entry {verified.head.seq}; "
                f"entry {beyond[-1].head.seq} was signed at {beyond[-1].time}"
            ),
            signed_through=verified.signed_through,
        )
