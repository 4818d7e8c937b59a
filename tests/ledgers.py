"""Small ledgers for tests: made by the real writer, taken apart by hand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nsledger.ledger.layout import segment_name
from nsledger.ledger.writer import LedgerWriter


def record(number: int, filler: str = "") -> bytes:
    """A record as the codec would encode one."""
    return b'{"number":%d,"filler":"%b"}' % (number, filler.encode())


def write(directory: Path, numbers: Iterable[int]) -> None:
    """Append records with these numbers, one by one."""
    writer = LedgerWriter.open(str(directory))
    for number in numbers:
        writer.append([record(number)])
    writer.close()


def segment(directory: Path, first_seq: int = 1) -> Path:
    """The file of a segment."""
    return directory / segment_name(first_seq)


def lines(directory: Path) -> list[bytes]:
    """The lines of the first segment, newlines included."""
    return segment(directory).read_bytes().splitlines(keepends=True)


def replace(directory: Path, new_lines: Iterable[bytes]) -> None:
    """Put other lines in their place."""
    segment(directory).write_bytes(b"".join(new_lines))


def split(directory: Path, *first_seqs: int) -> None:
    """Have segments that begin with these entries, too, instead of one."""
    found = lines(directory)
    ends = [*first_seqs[1:], len(found) + 1]
    replace(directory, found[: first_seqs[0] - 1])
    for first_seq, end in zip(first_seqs, ends, strict=True):
        segment(directory, first_seq).write_bytes(b"".join(found[first_seq - 1 : end - 1]))
