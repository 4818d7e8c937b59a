"""Following the chain through one segment: the loop that ten million lines go through."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final, Literal

import msgspec

from nsledger.ledger import files, place
from nsledger.ledger.checkpoint import Mark, Marks
from nsledger.ledger.errors import Damage, LedgerDamagedError, LedgerError, NotAnEntryError
from nsledger.ledger.line import Entry, Head, check_whole
from nsledger.ledger.reader import whole_lines
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


# Segments walked ahead on several cores, each as if what its first line claims were true.
#
# Only an accelerator: whoever follows the chain takes a result where the claim proved right, and
# walks the segment again where it did not or where anything was wrong. So what is found, and how
# it is told, is the same on one core and on many.

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
