"""Our HPACK decoder against the `hpack` library, in both directions of trust."""

from __future__ import annotations

import hpack
from hpack.exceptions import HPACKError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from nsledger.relay.h2 import hpack as huffman
from nsledger.relay.h2.hpack import HeaderBlockError, HeaderDecoder, changes_nothing

NAMES = st.sampled_from([b":path", b":status", b"te", b"grpc-timeout", b"x-bin", b"x" * 200])
VALUES = st.one_of(st.sampled_from([b"/a", b"200", b"trailers", b""]), st.binary(max_size=300))
BLOCKS = st.lists(st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=8), max_size=30)


@given(st.binary(max_size=200))
def test_huffman_strings_decode_as_the_library_encodes_them(data: bytes) -> None:
    encoder = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)

    assert huffman.decode(encoder.encode(data)) == data


@given(BLOCKS, st.lists(st.integers(0, 8192), max_size=30), st.booleans())
def test_what_the_library_encodes_is_decoded_whatever_happens_to_its_table(
    blocks: list[list[tuple[bytes, bytes, bool]]], sizes: list[int], huffman_coded: bool
) -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder()
    decoder.allow_table(8192)
    for number, fields in enumerate(blocks):
        if number < len(sizes):
            encoder.header_table_size = sizes[number]
        block = encoder.encode(
            [
                hpack.NeverIndexedHeaderTuple(*field[:2]) if field[2] else field[:2]
                for field in fields
            ],
            huffman=huffman_coded,
        )

        assert decoder.decode(block) == [(name, value) for name, value, _ in fields]


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_any_bytes_decode_to_what_the_library_makes_of_them_or_fail_as_it_does(
    blocks: list[bytes],
) -> None:
    theirs, ours = hpack.Decoder(max_header_list_size=2**24), HeaderDecoder()
    for block in blocks:
        try:
            expected = [tuple(field) for field in theirs.decode(block, raw=True)]
        except (HPACKError, IndexError):
            expected = None
        try:
            found = list(ours.decode(block))
        except HeaderBlockError:
            found = None
        if found is None or expected is None:
            # Integers beyond any use are cut off earlier here; nothing else may differ.
            assert found == expected or b"\xff\x80\x80" in block or b"\xff\xff\xff" in block
            return
        assert found == expected


@given(BLOCKS)
def test_a_block_said_to_change_nothing_may_be_left_out(
    blocks: list[list[tuple[bytes, bytes, bool]]],
) -> None:
    encoder, decoder = hpack.Encoder(), HeaderDecoder()
    for fields in blocks:
        plain = [field[:2] for field in fields]
        block = encoder.encode(plain)
        if changes_nothing(block) and fields:
            continue
        assert decoder.decode(block) == plain
