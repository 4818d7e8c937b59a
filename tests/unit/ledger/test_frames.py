from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from nsledger.ledger import zstd_frames
from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.segment import Segment

LINES = [b'{"seq":%d,"filler":"%b"}\n' % (number, b"x" * (number % 97)) for number in range(2_000)]
CONTENT = b"".join(LINES)
SIZE = 1_000


def compressed(piece_bytes: int = SIZE) -> tuple[bytes, list[tuple[int, int]]]:
    """`CONTENT` in many frames, and their sizes."""
    pieces = [CONTENT[at : at + piece_bytes] for at in range(0, len(CONTENT), piece_bytes)]
    made = [zstandard.ZstdCompressor(write_checksum=True).compress(piece) for piece in pieces]
    return b"".join(made), [(len(one), len(piece)) for one, piece in zip(made, pieces, strict=True)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    data, sizes = compressed()
    path = tmp_path / "x.jsonl.zst"
    path.write_bytes(data + zstd_frames.table(sizes))
    return path


@pytest.fixture
def segment(file: Path) -> Iterator[Segment]:
    with Segment.open(str(file)) as segment:
        yield segment


def read(path: Path) -> bytes:
    with Segment.open(str(path)) as segment:
        return b"".join(segment.pieces())


def test_many_frames_read_as_one_segment_from_wherever_one_begins(segment: Segment) -> None:
    assert b"".join(segment.pieces()) == CONTENT
    for offset in (1, SIZE - 1, SIZE, SIZE + 1, len(CONTENT) - 1, len(CONTENT)):
        assert b"".join(segment.pieces(offset)) == CONTENT[offset:]


def test_a_line_is_read_where_it_stands_also_over_the_edge_of_a_frame(segment: Segment) -> None:
    offset = 0
    for line in LINES:
        assert segment.line_at(offset) == line
        offset += len(line)
    assert segment.line_at(offset) == b""


def test_one_line_costs_one_frame(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    read_frames: list[int] = []
    real = zstd_frames.content

    def counting(descriptor: int, frame: zstd_frames.Frame) -> bytes:
        read_frames.append(frame.begins)
        return real(descriptor, frame)

    monkeypatch.setattr(zstd_frames, "content", counting)
    at = CONTENT.index(b"\n", 50 * SIZE) + 1

    segment.line_at(at)
    segment.line_at(at)

    assert read_frames == [at // SIZE * SIZE]


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs zstd")
def test_an_auditor_needs_nothing_but_zstd(file: Path) -> None:
    done = subprocess.run(["zstd", "-dcq", file], capture_output=True, check=True)

    assert done.stdout == CONTENT


def test_wherever_the_file_is_cut_it_is_not_whole(tmp_path: Path) -> None:
    data, sizes = compressed(len(CONTENT) // 3 + 1)
    whole = data + zstd_frames.table(sizes)
    cut = tmp_path / "x.jsonl.zst"
    for size in [*range(0, len(whole), 997), *range(len(whole) - 60, len(whole))]:
        cut.write_bytes(whole[:size])
        with pytest.raises(NotAnEntryError):
            read(cut)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data, table: data + b"x" + table,
        lambda data, table: data + table + b"x",
        lambda data, table: data[1:] + table,
        lambda data, table: data + data + table,
        lambda data, table: data + table[:8] + b"\xff" * 8 + table[16:],
        lambda data, table: data[:-40] + b"\0" * 40 + table,
        lambda data, table: data + table[:-5] + b"\x80" + table[-4:],
        lambda data, table: data + table[:-9] + b"\xff\xff\xff\xff" + table[-5:],
    ],
)
def test_what_does_not_fit_its_table_is_refused(file: Path, damage: object) -> None:
    data, sizes = compressed()
    assert callable(damage)
    file.write_bytes(damage(data, zstd_frames.table(sizes)))

    with pytest.raises(NotAnEntryError):
        read(file)


def test_a_table_cannot_make_a_reader_take_more_memory_than_a_frame_may(file: Path) -> None:
    large = 1 << 25
    frame = zstandard.compress(b"\0" * large)
    file.write_bytes(frame + zstd_frames.table([(len(frame), large)]))
    with pytest.raises(NotAnEntryError):
        read(file)

    file.write_bytes(frame + zstd_frames.table([(len(frame), 100)]))
    with pytest.raises(NotAnEntryError):
        read(file)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 300_000, os.urandom(300_000)])
@pytest.mark.parametrize("checksum", [True, False])
def test_where_a_frame_ends_is_told_by_its_blocks(
    tmp_path: Path, content: bytes, *, checksum: bool
) -> None:
    path = tmp_path / "x"
    frame = zstandard.ZstdCompressor(write_checksum=checksum).compress(content)
    path.write_bytes(frame + b"more")

    with path.open("rb") as file:
        assert zstd_frames.end_of(file.fileno(), 0) == len(frame)
