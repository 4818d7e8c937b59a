from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.line import MAX_LINE_BYTES
from nsledger.ledger.reader import entries, entries_backwards, lines_backwards
from tests import ledgers


def backwards(content: bytes, chunk_bytes: int) -> list[bytes]:
    file = os.memfd_create("segment")
    try:
        os.write(file, content)
        return list(lines_backwards(file, chunk_bytes))
    finally:
        os.close(file)


@given(st.lists(st.binary(max_size=20)), st.binary(max_size=20), st.integers(1, 12))
def test_every_whole_line_comes_once_and_the_last_one_first(
    contents: list[bytes], unfinished: bytes, chunk_bytes: int
) -> None:
    lines = [content.replace(b"\n", b"") + b"\n" for content in contents]
    unfinished = unfinished.replace(b"\n", b"")

    found = backwards(b"".join(lines) + unfinished, chunk_bytes)

    assert found == lines[::-1]


def test_a_ledger_is_read_over_all_its_segments(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 11))
    lines = ledgers.lines(tmp_path)
    ledgers.replace(tmp_path, lines[:4])
    ledgers.segment(tmp_path, 5).write_bytes(b"".join(lines[4:]))

    assert list(entries_backwards(str(tmp_path))) == list(entries(str(tmp_path)))[::-1]


def test_the_newest_entry_costs_one_read_of_a_long_ledger(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 4))
    with ledgers.segment(tmp_path).open("r+b") as segment:
        segment.seek(1 << 40)
        segment.write(b"\n" + ledgers.lines(tmp_path)[0])

    assert next(iter(entries_backwards(str(tmp_path)))).seq == 1


def test_a_line_without_end_is_refused_and_not_held_in_memory(tmp_path: Path) -> None:
    long = tmp_path / "long"
    with long.open("wb") as file:
        file.truncate(MAX_LINE_BYTES * 3)
        file.seek(0, os.SEEK_END)
        file.write(b"\n")

    descriptor = os.open(long, os.O_RDONLY)
    try:
        with pytest.raises(NotAnEntryError):
            list(lines_backwards(descriptor))
    finally:
        os.close(descriptor)
