from __future__ import annotations

import pytest
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from nsledger.relay.h2 import hpack


def test_the_code_is_the_librarys_symbol_by_symbol() -> None:
    expected = {
        1 << length | code: symbol
        for symbol, (code, length) in enumerate(
            zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True)
        )
    }

    assert expected == hpack._SYMBOLS


def test_an_example_of_the_rfc() -> None:
    assert hpack.decode(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")) == b"www.example.com"
    assert hpack.decode(b"") == b""


@pytest.mark.parametrize(
    "encoded",
    [
        b"\xff\xff\xff\xff",  # EOS
        b"\x1f\xff",  # a padding of more than 7 bits
        b"\x18",  # padded with zeros
    ],
)
def test_what_is_no_huffman_string_is_refused(encoded: bytes) -> None:
    with pytest.raises(hpack.HuffmanError):
        hpack.decode(encoded)
