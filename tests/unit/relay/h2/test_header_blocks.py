from __future__ import annotations

import pytest

from nsledger.relay.h2.frames import END_HEADERS, END_STREAM, PADDED, PRIORITY, FrameError
from nsledger.relay.h2.header_blocks import HeaderBlocks
from nsledger.relay.h2.hpack import HeaderDecoder


def _blocks(lost: list[str]) -> HeaderBlocks:
    return HeaderBlocks(HeaderDecoder(), lost.append)


def test_a_block_in_one_frame_is_complete_at_once() -> None:
    blocks = _blocks([])

    assert blocks.headers(END_HEADERS | END_STREAM, 1, b"abc") == (1, b"abc", True)
    assert blocks.open_stream is None


def test_a_block_in_several_frames_is_put_together_without_its_wrapping() -> None:
    blocks = _blocks([])

    assert blocks.headers(PADDED | PRIORITY | END_STREAM, 1, b"\x02\0\0\0\0\0ab\0\0") is None
    assert blocks.open_stream == 1
    assert blocks.continuation(0, 1, b"cd") is None
    assert blocks.continuation(END_HEADERS, 1, b"ef") == (1, b"abcdef", True)
    assert blocks.open_stream is None


def test_a_promise_has_a_block_too() -> None:
    blocks = _blocks([])

    assert blocks.push_promise(END_HEADERS, 1, b"\0\0\0\x02abc") == (2, b"abc", False)
    assert blocks.push_promise(0, 1, b"\0\0\0\x04ab") is None
    assert blocks.continuation(END_HEADERS, 1, b"c") == (1, b"abc", False)


def test_nothing_but_its_continuation_may_follow_an_open_block() -> None:
    blocks = _blocks([])
    blocks.headers(0, 1, b"abc")

    for handle in (blocks.headers, blocks.push_promise, blocks.continuation):
        with pytest.raises(FrameError):
            handle(END_HEADERS, 3, b"\0\0\0\0")


def test_a_block_that_never_ends_is_not_kept() -> None:
    lost: list[str] = []
    blocks = _blocks(lost)
    blocks.headers(0, 1, b"")
    for _ in range(200):
        blocks.continuation(0, 1, bytes(16_384))

    assert lost == ["oversized_headers"]
    assert sum(map(len, blocks._fragments)) < 1 << 20


def test_after_one_unreadable_block_none_is_read_and_it_is_said_once() -> None:
    lost: list[str] = []
    blocks = _blocks(lost)
    assert blocks.read(b"\x82", needed=True) == [(b":method", b"GET")]

    assert blocks.read(b"\x40\x7f", needed=True) is None
    assert blocks.read(b"\x82", needed=True) is None
    assert blocks.read(b"\x40\x7f", needed=True) is None
    assert lost == ["undecodable_headers"]


def test_a_block_that_changes_nothing_is_read_only_if_needed() -> None:
    assert _blocks([]).read(b"\x82", needed=False) is None
