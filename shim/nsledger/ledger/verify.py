"""Whether a ledger is what was written: every entry follows the one before, up to what was signed.

Trusts nothing but the bytes, needs no lock, holds one line at a time, and may run beside the
writer. What the chain alone cannot show: a last entry that was changed, a tail that was cut off, a
ledger that was rewritten with new hashes from some entry to its end. Checkpoints show these.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from nsledger.ledger import files, place
from nsledger.ledger.checkpoint import Checkpoint, Mark, Marks
from nsledger.ledger.errors import Damage, LedgerDamagedError, LedgerError, NotAnEntryError
from nsledger.ledger.layout import Pruned
from nsledger.ledger.line import Entry, Head, check_whole
from nsledger.ledger.place import Place
from nsledger.ledger.reader import id_told_by, whole_lines
from nsledger.ledger.segment import Segment

Progress = Callable[[int], None]
"""Told each number of bytes read."""


_ABOUT_THE_LEDGER: Final = b'"event":"ledger.'
"""In every line with a `Note`, as records are written."""


class Note(msgspec.Struct, frozen=True):
    """An entry that says of others that they were removed, moved aside or are not vouched for."""

    event: Literal["ledger.pruned", "ledger.recovered", "ledger.unattested"]
    seq: int
    through_seq: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    from_seq: int = 0
    digest: str = ""
    """`ledger.pruned`: of the last entry that was removed."""
    kept_as: str = ""
    """`ledger.recovered`: the file that has what was moved aside."""
    torn_bytes: int = 0


def _note(line: bytes) -> tuple[Note, ...]:
    try:
        return (msgspec.json.decode(line, type=Note),)
    except msgspec.DecodeError:
        return ()


@dataclass(frozen=True, slots=True)
class Walked:
    """A segment without damage."""

    head: Head
    """Of its last entry."""
    unfinished_bytes: int
    """Behind it."""
    signed_through: int
    """The last of its entries that a mark stands at; what came before, if none does."""
    notes: tuple[Note, ...] = ()
    """What entries tell of the ledger itself, in order."""


def walk(
    path: str,
    before: Head,
    *,
    marks: Marks,
    signed_through: int = 0,
    progress: Progress | None = None,
) -> Walked:
    """Follow `before` through the segment at `path`.

    `progress` is told the bytes on the disk: of a compressed segment all at once.

    Raises:
        LedgerDamagedError: at the first entry that does not follow, or that is not the marked one.
        OSError: it cannot be read.
    """
    seq, digest, size = before.seq, before.digest.encode(), 0
    notes: list[Note] = []
    signed = signed_through
    ahead = iter(marks.within(before.seq, None).marks)
    mark = next(ahead, None)
    mark_seq = mark.head.seq if mark else 0
    try:
        segment = Segment.open(path)
    except files.NotARegularFileError as error:
        why = Damage.NOT_AN_ENTRY, "it is no regular file"
        raise _damaged(why, path, before, seq, signed) from error
    try:
        segment.check_whole()
        pieces = segment.pieces()
        for line in whole_lines(pieces if segment.compressed else _told(pieces, progress)):
            # `chain.opening`, written out.
            if not (
                line.startswith(b'{"seq":%d,"prev":"%b","' % (seq + 1, digest))
                and line.endswith(b"}\n")
            ):
                why = _why_not(line, Head(seq, digest.decode()))
                raise _damaged(why, path, before, seq, signed)
            check_whole(line)
            digest = sha256(line).hexdigest().encode()
            seq += 1
            size += len(line)
            if _ABOUT_THE_LEDGER in line:
                notes += _note(line)
            if seq == mark_seq:
                while mark is not None and mark.head.seq == seq:
                    check_mark(mark, digest.decode(), path, seq - before.seq, signed)
                    mark = next(ahead, None)
                signed, mark_seq = seq, mark.head.seq if mark else 0
        unfinished = segment.read_bytes - size
        if segment.compressed and progress is not None:
            progress(os.fstat(segment.descriptor).st_size)
    except NotAnEntryError as error:
        why = Damage.NOT_AN_ENTRY, str(error)
        raise _damaged(why, path, before, seq, signed) from error
    finally:
        segment.close()
    return Walked(
        head=Head(seq, digest.decode()),
        unfinished_bytes=unfinished,
        signed_through=signed,
        notes=tuple(notes),
    )


def check_mark(mark: Mark, digest: str, path: str, line_number: int, signed_through: int) -> None:
    """Refuse an entry with the hash `digest` where `mark` has another one.

    Raises:
        LedgerDamagedError: it has.
    """
    if digest != mark.head.digest:
        raise LedgerDamagedError(
            damage=Damage.REWRITTEN,
            seq=min(signed_through + 1, mark.head.seq),
            through_seq=mark.head.seq,
            path=path,
            line_number=line_number,
            detail=(
                f"entry {mark.head.seq} has the hash {digest}, "
                f"{mark.head.digest} was signed at {mark.time}"
            ),
            signed_through=min(signed_through, mark.head.seq - 1),
        )


def _damaged(
    why: tuple[Damage, str], path: str, before: Head, seq: int, signed: int
) -> LedgerDamagedError:
    """Of what stands behind entry `seq`."""
    damage, detail = why
    return LedgerDamagedError(
        damage=damage,
        seq=seq + 1,
        path=path,
        line_number=seq + 1 - before.seq,
        detail=detail,
        signed_through=signed,
    )


def first_entry(path: str, before: Head) -> bytes | None:
    """The first line of the segment at `path` if it is an entry that follows `before`.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with Segment.open(path) as segment:
            segment.check_whole()
            line = next(whole_lines(segment.pieces()), b"")
        entry = Entry.parse(line)
        check_whole(line)
    except (NotAnEntryError, files.NotARegularFileError):
        return None
    return line if (entry.seq, entry.prev) == (before.seq + 1, before.digest) else None


def _why_not(line: bytes, head: Head) -> tuple[Damage, str]:
    """In which way `line` does not follow `head`, and how that shows."""
    try:
        found = Entry.parse(line)
    except NotAnEntryError as error:
        return Damage.NOT_AN_ENTRY, str(error)
    if found.seq != head.seq + 1:
        return out_of_sequence(head, found.seq)
    return Damage.BROKEN_LINK, f"prev is {found.prev}, the line before has {head.digest}"


def out_of_sequence(head: Head, found_seq: int) -> tuple[Damage, str]:
    """What it is that entry `found_seq` stands behind `head`."""
    damage = Damage.MISSING if found_seq > head.seq else Damage.REPEATED
    return damage, f"found entry {found_seq} in its place"


def _told(pieces: Iterable[bytes], progress: Progress | None) -> Iterator[bytes]:
    for piece in pieces:
        if progress is not None:
            progress(len(piece))
        yield piece


# Segments may be walked ahead on several cores, each as if what its first line claims were true. A
# result counts only where the claim proved right, else the segment is walked again: what is found
# is the same on one core and on many.

_PAYS_BYTES: Final = 64 << 20
"""Less is walked before it could matter."""


@dataclass(frozen=True, slots=True)
class Early:
    """A segment that is sound if it follows `before`."""

    before: Head
    walked: Walked
    """`signed_through` is 0 where none of its own entries is marked."""
    size_bytes: int
    """On the disk."""


def walked_ahead(
    segments: Sequence[tuple[int, str]], marks: Marks, processes: int
) -> Iterator[Early | None]:
    """For each segment, in order: how its walk went, or None where it has to be walked again.

    It ends early where processes cannot be had. Closing it ends the processes. They are forked, so
    the caller should be a program's only thread.
    """
    from concurrent.futures import BrokenExecutor, ProcessPoolExecutor  # noqa: PLC0415 - costs 20 ms
    from multiprocessing import get_context  # noqa: PLC0415 - the same

    ends = [*(first_seq - 1 for first_seq, _ in segments[1:]), None]
    jobs = [
        (path, marks.within(first_seq - 1, end))
        for (first_seq, path), end in zip(segments, ends, strict=True)
    ]
    try:
        # A new interpreter would take longer to start than most ledgers take to walk.
        pool = ProcessPoolExecutor(
            min(processes, len(jobs)), mp_context=get_context("fork"), initializer=_leave_to_parent
        )
    except OSError:
        return
    try:
        yield from pool.map(_walk_alone, jobs)
    except (BrokenExecutor, OSError):
        return
    finally:
        pool.shutdown(cancel_futures=True)


def useful_processes(size_bytes: int) -> int:
    """How many processes pay for a ledger of that size on this machine; 1 is none beside ours."""
    return min(len(os.sched_getaffinity(0)), size_bytes // _PAYS_BYTES + 1)


def _leave_to_parent() -> None:
    """Ctrl-C reaches the whole group; the parent ends the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _walk_alone(job: tuple[str, Marks]) -> Early | None:
    path, marks = job
    told: list[int] = []
    try:
        before = place.find(path).before
        walked = walk(path, before, marks=marks, progress=told.append)
        return Early(before=before, walked=walked, size_bytes=sum(told))
    except (LedgerError, OSError):
        return None


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
