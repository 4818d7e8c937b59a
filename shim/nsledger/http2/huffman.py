"""Huffman-coded header strings, one byte at a time.

The code is canonical: the lengths alone define it. The steps of the decoding automaton are worked
out when they are first needed and kept, so that importing this costs nothing and the strings that
a connection repeats cost one look-up a byte.

Source: RFC 7541 section 5.2 and appendix B.
"""

from __future__ import annotations

from typing import Final

_CODE_LENGTHS: Final = (
    # How many bits each symbol's code has: the 256 byte values, then EOS.
    *(13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28),
    *(28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28),
    *(6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6),
    *(5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10),
    *(13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7),
    *(7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6),
    *(15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5),
    *(6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28),
    *(20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23),
    *(24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24),
    *(22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23),
    *(21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23),
    *(26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25),
    *(19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27),
    *(20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23),
    *(26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26),
    30,
)
_EOS: Final = 256
_START: Final = 1
"""A state is the bits read since the last symbol, behind a leading 1."""
_LONGEST_PADDING: Final = 0xFF


class HuffmanError(ValueError):
    """Not what the code of RFC 7541 gives: EOS inside, or padding that is not EOS's first bits."""


def _canonical(lengths: tuple[int, ...]) -> dict[int, int]:
    """From a code, behind a leading 1, to its symbol."""
    symbols: dict[int, int] = {}
    code = previous = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - previous
        symbols[1 << length | code] = symbol
        code += 1
        previous = length
    return symbols


_SYMBOLS: Final = _canonical(_CODE_LENGTHS)
_STEPS: Final[dict[int, tuple[int, bytes]]] = {}
"""From `state << 8 | byte` to the next state and what was read; at most 256 states times 256."""


def _step(state: int, byte: int) -> tuple[int, bytes]:
    read = bytearray()
    bits = state
    for shift in range(7, -1, -1):
        bits = bits << 1 | (byte >> shift & 1)
        symbol = _SYMBOLS.get(bits)
        if symbol is None:
            continue
        if symbol == _EOS:
            raise HuffmanError("EOS stands in a string, it may only pad one")
        read.append(symbol)
        bits = _START
    step = _STEPS[state << 8 | byte] = bits, bytes(read)
    return step


def decode(encoded: bytes) -> bytes:
    """The string.

    Raises:
        HuffmanError: `encoded` is not a string in this code.
    """
    state = _START
    parts: list[bytes] = []
    for byte in encoded:
        state, part = _STEPS.get(state << 8 | byte) or _step(state, byte)
        parts.append(part)
    if state > _LONGEST_PADDING or state & (state + 1):
        raise HuffmanError("the padding is longer than 7 bits, or not all ones")
    return b"".join(parts)
