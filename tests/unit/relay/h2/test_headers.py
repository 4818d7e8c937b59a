from __future__ import annotations

import hpack
import pytest

from nsledger.relay.h2.hpack import HeaderBlockError, HeaderDecoder, changes_nothing


def test_a_block_that_only_points_into_the_tables_changes_nothing() -> None:
    encoder = hpack.Encoder()
    fields = [(":method", "POST"), ("x", "y")]

    first, second = encoder.encode(fields), encoder.encode(fields)

    assert not changes_nothing(first)
    assert changes_nothing(second)


def test_a_remembered_block_is_forgotten_when_the_table_moves_under_it() -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder()
    decoder.decode(encoder.encode([("x", "old")]))
    pointing = encoder.encode([("x", "old")])
    assert decoder.decode(pointing) == [(b"x", b"old")]

    decoder.decode(encoder.encode([("x", "new")]))

    assert decoder.decode(pointing) == [(b"x", b"new")]


def test_a_table_may_not_outgrow_what_was_announced() -> None:
    grow = b"\x3f\xe1\x7f"  # to 16384 bytes
    decoder = HeaderDecoder()
    with pytest.raises(HeaderBlockError, match="the peer allows 4096"):
        decoder.decode(grow)

    decoder.allow_table(16_384)

    assert decoder.decode(grow) == []


def test_a_peer_cannot_make_the_table_grow_for_ever() -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder()
    for number in range(1000):
        decoder.decode(encoder.encode([("name", f"value-{number}")]))

    assert decoder._size <= 4096
    assert len(decoder._entries) < 4096 // 32


def test_an_entry_larger_than_the_table_empties_it() -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder()
    decoder.decode(encoder.encode([("a", "b")]))

    assert decoder.decode(encoder.encode([("x", "y" * 5000)])) == [(b"x", b"y" * 5000)]
    assert decoder._entries == []
    assert decoder._size == 0


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",  # index 0
        b"\xfe",  # an index without an entry
        b"\x40",  # cut off behind the name's length
        b"\x40\x05abc",  # cut off in the name
        b"\xff\xff\xff\xff\xff\xff\xff\x0f",  # an endless integer
        b"\x82\x20",  # a size update behind a field
        b"\x00\x84\xff\xff\xff\xff\x00",  # bad Huffman
    ],
)
def test_what_is_no_header_block_is_refused(block: bytes) -> None:
    with pytest.raises(HeaderBlockError):
        HeaderDecoder().decode(block)
