"""What somebody with write access may do to a ledger, and what has to be said of it.

The ledger has thirty entries in three segments. Its entries 12 and 30 were signed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nsledger.ledger import compression, layout
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import SigningKey
from nsledger.ledger.compression import closed_segments
from nsledger.ledger.errors import Damage
from nsledger.ledger.layout import Pruned
from nsledger.ledger.line import GENESIS, Entry, Head, link
from nsledger.model.events import DaemonStopped, LedgerCreated, LedgerPruned, PruneRule, Source
from nsledger.model.record import Moment, encode
from tests import checkpoints, ledgers

FIRST_SEQS = (1, 11, 21)
"""The last segment is the one that is written; the others may be compressed."""
LAST_SEQ = 30
SIGNED_SEQS = (12, 30)
OTHER_LEDGER_ID = "0d" * 16


def make(directory: Path, ledger_id: str = checkpoints.LEDGER_ID, last_seq: int = LAST_SEQ) -> Path:
    """The ledger, untouched, in `directory`; with another id every line is another one."""
    directory.mkdir(parents=True)
    records = [
        encode(LedgerCreated(source=Source.DAEMON, ledger_id=ledger_id), _moment(1)),
        *(
            encode(DaemonStopped(source=Source.DAEMON, reason=f"record {seq}"), _moment(seq))
            for seq in range(2, last_seq + 1)
        ),
    ]
    put(directory, _linked(records, GENESIS))
    return directory


def put(directory: Path, lines: list[bytes]) -> None:
    """Distribute the lines over the segments by their place, whatever is in them."""
    for first, end in zip(FIRST_SEQS, (*FIRST_SEQS[1:], None), strict=True):
        part = lines[first - 1 : None if end is None else end - 1]
        if part:
            ledgers.segment(directory, first).write_bytes(b"".join(part))


def sign(directory: Path, key: SigningKey, seqs: tuple[int, ...] = SIGNED_SEQS) -> list[Checkpoint]:
    """Checkpoints of some entries."""
    lines = _lines(directory)
    return [checkpoints.checkpoint(Entry.parse(lines[seq - 1]).head, key) for seq in seqs]


def compress(directory: Path) -> None:
    """The closed segments, as the daemon does, and as one who covers his tracks would."""
    for name in closed_segments(str(directory)):
        compression.compress(str(directory), name, called_off=lambda: False)


def prune(directory: Path) -> None:
    """Remove the first segment by the rules: a record says so, then a file, then it is gone."""
    last_removed = Entry.parse(_lines(directory)[9]).head
    told = LedgerPruned(
        source=Source.DAEMON,
        rule=PruneRule.MAX_AGE,
        from_seq=1,
        through_seq=last_removed.seq,
        digest=last_removed.digest,
        segments=1,
        size_bytes=1,
        ledger_id=checkpoints.LEDGER_ID,
    )
    lines = _lines(directory)[20:]
    more = _linked([encode(told, _moment(LAST_SEQ + 1))], Entry.parse(lines[-1]).head)
    ledgers.segment(directory, 21).write_bytes(b"".join([*lines, *more]))
    _remove_the_first_segment(directory, last_removed)


@dataclass(frozen=True, slots=True)
class Tampering:
    """One thing that can be done, and the verdict on it."""

    name: str
    apply: Callable[[Path], None]
    """To the ledger in a directory."""
    damage: Damage
    seq: int
    """The first bad entry, or the first that could be."""
    trusted_through: int
    """By the chain alone, where that can tell."""
    through_seq: int | None = None
    """The last that could be the first bad one."""
    needs_checkpoints: bool = False
    """The chain alone cannot tell."""

    @property
    def trusted_with_checkpoints(self) -> int:
        """Of entry 12, which was signed, the chain need not be believed."""
        return max(self.trusted_through, SIGNED_SEQS[0] if self.seq > SIGNED_SEQS[0] else 0)


def _edit(directory: Path) -> None:
    _at(directory, 15, lambda line: line.replace(b"record 15", b"record 51"))


def _edit_so_that_it_is_no_json(directory: Path) -> None:
    _at(directory, 15, lambda line: line.replace(b'"record 15"', b'"record 15'))


def _blank(directory: Path) -> None:
    _at(directory, 15, lambda line: b"\0" * (len(line) - 1) + b"\n")


def _delete(directory: Path) -> None:
    lines = _lines(directory)
    path = ledgers.segment(directory, 11)
    path.write_bytes(b"".join(line for line in lines[10:20] if b"record 15" not in line))


def _delete_the_beginning(directory: Path) -> None:
    ledgers.segment(directory, 1).unlink()


def _prune_without_a_record(directory: Path) -> None:
    _remove_the_first_segment(directory, Entry.parse(_lines(directory)[9]).head)


def _prune_with_a_wrong_hash(directory: Path) -> None:
    _remove_the_first_segment(directory, Head(10, "f" * 64))


def _remove_the_first_segment(directory: Path, last_removed: Head) -> None:
    layout.save(
        str(directory),
        Pruned(
            first_seq=last_removed.seq + 1,
            prev=last_removed.digest,
            from_seq=1,
            time=checkpoints.TIME,
            rule="max_age",
            ledger_id=checkpoints.LEDGER_ID,
        ),
    )
    ledgers.segment(directory, 1).unlink()


def _delete_a_segment(directory: Path) -> None:
    ledgers.segment(directory, 11).unlink()


def _insert_a_copy(directory: Path) -> None:
    _at(directory, 15, lambda line: line + line)


def _insert_a_forged_entry_that_fits(directory: Path) -> None:
    lines = _lines(directory)
    forged = _linked([b'{"event":"daemon.stopped"}'], Entry.parse(lines[13]).head)[0]
    _at(directory, 15, lambda line: forged + line)


def _insert_a_note(directory: Path) -> None:
    _at(directory, 15, lambda line: b"nothing happened here\n" + line)


def _reorder(directory: Path) -> None:
    lines = _lines(directory)
    lines[14], lines[15] = lines[15], lines[14]
    put(directory, lines)


def _renumber_over_a_deletion(directory: Path) -> None:
    lines = _lines(directory)
    later = [
        line.replace(b'{"seq":%d,' % (seq + 1), b'{"seq":%d,' % seq)
        for seq, line in enumerate(lines[15:], start=15)
    ]
    put(directory, [*lines[:14], *later])


def _cut_in_a_line_of_an_older_segment(directory: Path) -> None:
    path = ledgers.segment(directory, 11)
    path.write_bytes(path.read_bytes()[:-30])


def _add_to_an_older_segment(directory: Path) -> None:
    with ledgers.segment(directory, 11).open("ab") as file:
        file.write(b"x")


def _swap_the_contents_of_segments(directory: Path) -> None:
    one, other = ledgers.segment(directory, 11), ledgers.segment(directory, 21)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _swap_segments_so_that_numbers_fit(directory: Path) -> None:
    lines = _lines(directory)
    numbers = [*range(11), *range(21, 31), *range(11, 21)]
    moved = [
        lines[at - 1].replace(b'{"seq":%d,' % at, b'{"seq":%d,' % seq)
        for seq, at in enumerate(numbers)
        if seq
    ]
    put(directory, moved)


def _take_a_segment_of_another_ledger(directory: Path) -> None:
    other = make(directory.parent / "other", OTHER_LEDGER_ID)
    shutil.copy(ledgers.segment(other, 11), ledgers.segment(directory, 11))


def _cut_the_tail(directory: Path) -> None:
    ledgers.segment(directory, 21).write_bytes(b"".join(_lines(directory)[20:25]))


def _cut_the_tail_within_a_line(directory: Path) -> None:
    path = ledgers.segment(directory, 21)
    path.write_bytes(path.read_bytes()[:-30])


def _delete_the_last_segment(directory: Path) -> None:
    ledgers.segment(directory, 21).unlink()


def _put_an_older_copy_back_and_go_on(directory: Path) -> None:
    lines = _lines(directory)[:20]
    put(directory, [*lines, *_linked([b'{"event":"later"}'] * 15, Entry.parse(lines[-1]).head)])


def _rehash_the_tail(directory: Path) -> None:
    lines = _lines(directory)
    records = [b'{"time"' + line.partition(b'"time"')[2][:-1] for line in lines[14:]]
    records[0] = records[0].replace(b"record 15", b"record 51")
    put(directory, [*lines[:14], *_linked(records, Entry.parse(lines[13]).head)])


def _edit_the_last_entry(directory: Path) -> None:
    _at(directory, 30, lambda line: line.replace(b"record 30", b"record 03"))


def _put_another_ledger_in_its_place(directory: Path) -> None:
    shutil.rmtree(directory)
    make(directory, OTHER_LEDGER_ID, last_seq=40)


TAMPERINGS = (
    Tampering("edit", _edit, Damage.BROKEN_LINK, 16, 14),
    Tampering("edit to no JSON", _edit_so_that_it_is_no_json, Damage.NOT_AN_ENTRY, 15, 13),
    Tampering("blank", _blank, Damage.NOT_AN_ENTRY, 15, 13),
    Tampering("delete", _delete, Damage.MISSING, 15, 13),
    Tampering("delete the beginning", _delete_the_beginning, Damage.MISSING, 1, 0),
    Tampering("prune, no record", _prune_without_a_record, Damage.MISSING, 1, 0, 10),
    Tampering("prune, wrong hash", _prune_with_a_wrong_hash, Damage.BROKEN_LINK, 11, 9),
    Tampering("delete a segment", _delete_a_segment, Damage.MISSING, 11, 9),
    Tampering("insert a copy", _insert_a_copy, Damage.REPEATED, 16, 14),
    Tampering("insert a forgery", _insert_a_forged_entry_that_fits, Damage.REPEATED, 16, 14),
    Tampering("insert a note", _insert_a_note, Damage.NOT_AN_ENTRY, 15, 13),
    Tampering("reorder", _reorder, Damage.MISSING, 15, 13),
    Tampering("renumber", _renumber_over_a_deletion, Damage.BROKEN_LINK, 15, 13),
    Tampering("cut a line", _cut_in_a_line_of_an_older_segment, Damage.NOT_AN_ENTRY, 20, 18),
    Tampering("add bytes", _add_to_an_older_segment, Damage.NOT_AN_ENTRY, 21, 19),
    Tampering("swap segments", _swap_the_contents_of_segments, Damage.MISSING, 11, 9),
    Tampering("swap, renumber", _swap_segments_so_that_numbers_fit, Damage.BROKEN_LINK, 11, 9),
    Tampering("foreign segment", _take_a_segment_of_another_ledger, Damage.BROKEN_LINK, 11, 9),
    Tampering("truncate", _cut_the_tail, Damage.TRUNCATED, 26, 12, 30, needs_checkpoints=True),
    Tampering(
        "truncate in a line",
        _cut_the_tail_within_a_line,
        Damage.TRUNCATED,
        30,
        12,
        30,
        needs_checkpoints=True,
    ),
    Tampering(
        "older copy", _delete_the_last_segment, Damage.TRUNCATED, 21, 12, 30, needs_checkpoints=True
    ),
    Tampering(
        "older copy, written on",
        _put_an_older_copy_back_and_go_on,
        Damage.REWRITTEN,
        13,
        12,
        30,
        needs_checkpoints=True,
    ),
    Tampering(
        "re-hash the tail", _rehash_the_tail, Damage.REWRITTEN, 13, 12, 30, needs_checkpoints=True
    ),
    Tampering(
        "edit the last", _edit_the_last_entry, Damage.REWRITTEN, 13, 12, 30, needs_checkpoints=True
    ),
    Tampering(
        "another ledger",
        _put_another_ledger_in_its_place,
        Damage.FOREIGN,
        1,
        0,
        needs_checkpoints=True,
    ),
)


def _at(directory: Path, seq: int, change: Callable[[bytes], bytes]) -> None:
    lines = _lines(directory)
    assert change(lines[seq - 1]) != lines[seq - 1]
    lines[seq - 1] = change(lines[seq - 1])
    put(directory, lines)


def _lines(directory: Path) -> list[bytes]:
    return [
        line
        for first in FIRST_SEQS
        for line in ledgers.segment(directory, first).read_bytes().splitlines(keepends=True)
    ]


def _linked(records: list[bytes], after: Head) -> list[bytes]:
    data, _ = link(after, records)
    return data.splitlines(keepends=True)


def _moment(seq: int) -> Moment:
    return Moment(1_795_478_630_000_000_000 + seq * 10**9, seq * 10**9, "0" * 36)
