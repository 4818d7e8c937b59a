from __future__ import annotations

from pathlib import Path

import pytest
import zstandard

from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.segment import Segment

CONTENT = b"".join(b'{"seq":%d}\n' % number for number in range(50_000))


def read(path: Path) -> bytes:
    with Segment.open(str(path)) as segment:
        return b"".join(segment.pieces())


def test_a_compressed_segment_reads_as_what_was_compressed(tmp_path: Path) -> None:
    (tmp_path / "plain.jsonl").write_bytes(CONTENT)
    (tmp_path / "closed.jsonl.zst").write_bytes(zstandard.compress(CONTENT))

    assert read(tmp_path / "plain.jsonl") == CONTENT
    assert read(tmp_path / "closed.jsonl.zst") == CONTENT


def test_a_segment_that_was_compressed_since_its_name_was_seen_is_found(tmp_path: Path) -> None:
    (tmp_path / "seen.jsonl.zst").write_bytes(zstandard.compress(CONTENT))

    assert read(tmp_path / "seen.jsonl") == CONTENT


def test_a_segment_that_is_gone_is_the_systems_own_error(tmp_path: Path) -> None:
    for name in ("gone.jsonl", "gone.jsonl.zst"):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / name)


@pytest.mark.parametrize("size", [0, 3, 17, 1000, -5])
def test_a_frame_that_was_cut_short_is_never_taken_for_the_whole(tmp_path: Path, size: int) -> None:
    cut = tmp_path / "cut.jsonl.zst"
    frame = zstandard.ZstdCompressor(write_checksum=True).compress(CONTENT)
    cut.write_bytes(frame[:size])  # of its last four bytes, the checksum, none holds content

    with pytest.raises(NotAnEntryError):
        read(cut)


def test_a_frame_that_does_not_tell_its_size_is_refused_as_nobody_could_see_it_cut(
    tmp_path: Path,
) -> None:
    stream = zstandard.ZstdCompressor().compressobj()
    (tmp_path / "x.jsonl.zst").write_bytes(stream.compress(CONTENT) + stream.flush())

    with pytest.raises(NotAnEntryError):
        read(tmp_path / "x.jsonl.zst")


def test_a_bit_that_flipped_in_a_frame_is_seen(tmp_path: Path) -> None:
    frame = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(CONTENT))
    frame[-2] ^= 1
    (tmp_path / "x.jsonl.zst").write_bytes(frame)

    with pytest.raises(NotAnEntryError):
        read(tmp_path / "x.jsonl.zst")
