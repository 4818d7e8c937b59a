"""Follow the HPACK of one direction: header blocks in, fields out, nothing encoded.

A block of a stream that nobody looks at still changes the table that later blocks point into, so
every block is followed. The `hpack` library takes nine times as long for the three blocks of a
small call whose deadline is new each time (36 us against 4, side by side on a busy machine), where
a proxy in C adds about 100 to the whole call. The property tests hold this decoder to that library.

Source: RFC 7541.
"""

from __future__ import annotations

from typing import Final

# Huffman-coded header strings, one byte at a time.
#
# The code is canonical: the lengths alone define it. The steps of the decoding automaton are
# worked
# out when they are first needed and kept, so that importing this costs nothing and the strings
# that
# a connection repeats cost one look-up a byte.
#
# Source: RFC 7541 section 5.2 and appendix B.

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


# The header fields that every HTTP/2 peer knows from the start.
#
# Source: RFC 7541 appendix A.

STATIC_TABLE: Final[tuple[tuple[bytes, bytes], ...]] = (
    (b"", b""),  # indices count from 1
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
)


Field = tuple[bytes, bytes]
"""A header field: name, value."""

DEFAULT_TABLE_BYTES: Final = 4096
"""SETTINGS_HEADER_TABLE_SIZE until a peer says otherwise (RFC 9113 section 6.5.2)."""
_MOST_TABLE_BYTES: Final = 1 << 20
"""The largest table that is followed, whatever the peers agree on."""
_ENTRY_OVERHEAD_BYTES: Final = 32
_LAST_STATIC: Final = len(STATIC_TABLE) - 1
_MOST_INTEGER_BYTES: Final = 5
_MOST_REMEMBERED: Final = 64

# The first byte of a field: what it is, and how many bits of it belong to its first integer.
_INDEXED_FIELD: Final = 0x80
_ADDED_LITERAL: Final = 0x40
_KIND: Final = 0xE0
_SIZE_UPDATE: Final = 0x20
_4_BITS: Final = 0x0F
_5_BITS: Final = 0x1F
_6_BITS: Final = 0x3F
_7_BITS: Final = 0x7F
_MORE: Final = 0x80
_HUFFMAN: Final = 0x80
_INDEXED: Final = bytes(range(0x81, 0xFF))
"""The first bytes of all fields that stand in a table and whose index fits into one byte."""


class HeaderBlockError(ValueError):
    """A header block is not HPACK, or not for the table that the blocks before it made."""


def changes_nothing(block: bytes) -> bool:
    """Whether `block` only points into the tables, so that it need not be followed."""
    return not block.translate(None, _INDEXED)


class HeaderDecoder:
    """The decoder's side of one direction's HPACK context.

    After a `HeaderBlockError` the context is lost: no later block of the connection can be read.
    """

    __slots__ = ("_ceiling", "_entries", "_limit", "_remembered", "_size")

    def __init__(self) -> None:
        self._entries: list[Field] = []
        """The dynamic table, its newest entry last."""
        self._size = 0
        self._limit = DEFAULT_TABLE_BYTES
        self._ceiling = DEFAULT_TABLE_BYTES
        self._remembered: dict[bytes, list[Field]] = {}
        """Blocks that change nothing, since the table last changed."""

    def allow_table(self, size_bytes: int) -> None:
        """Let the encoder grow its table to `size_bytes`: its peer announced that much.

        A lower size is not enforced: the encoder says when it shrinks its table.
        """
        self._ceiling = max(self._ceiling, min(size_bytes, _MOST_TABLE_BYTES))

    def decode(self, block: bytes) -> list[Field]:
        """The fields of the next header block, in their order.

        Raises:
            HeaderBlockError: it is malformed, or larger than what was allowed.
        """
        known = self._remembered.get(block)
        if known is not None:
            return known
        try:
            fields = self._fields(block)
        except (IndexError, HuffmanError) as error:
            raise HeaderBlockError(str(error)) from error
        if len(fields) == len(block) and len(self._remembered) < _MOST_REMEMBERED:
            # A byte for each field: all of them stand in a table, and none was added to it.
            self._remembered[block] = fields
        return fields

    def _fields(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        entries = self._entries
        at, end = 0, len(block)
        while at < end:
            first = block[at]
            if first & _INDEXED_FIELD:
                index = first & _7_BITS
                at += 1
                if index == _7_BITS:
                    index, at = _integer(block, at, _7_BITS)
                if index > _LAST_STATIC:
                    fields.append(entries[_LAST_STATIC - index])
                elif index:
                    fields.append(STATIC_TABLE[index])
                else:
                    raise HeaderBlockError("index 0 names no field")
                continue
            if first & _KIND == _SIZE_UPDATE:
                if fields:
                    raise HeaderBlockError("a table size update stands behind a field")
                at = self._resize(block, at)
                continue
            added = first & _ADDED_LITERAL
            index_mask = _6_BITS if added else _4_BITS
            index = first & index_mask
            at += 1
            if index == index_mask:
                index, at = _integer(block, at, index_mask)
            if index > _LAST_STATIC:
                name = entries[_LAST_STATIC - index][0]
            elif index:
                name = STATIC_TABLE[index][0]
            else:
                name, at = _string(block, at)
            value, at = _string(block, at)
            field = name, value
            fields.append(field)
            if added:
                self._add(field)
        return fields

    def _add(self, field: Field) -> None:
        self._remembered.clear()
        self._size += len(field[0]) + len(field[1]) + _ENTRY_OVERHEAD_BYTES
        self._entries.append(field)
        if self._size > self._limit:
            self._evict()

    def _evict(self) -> None:
        entries = self._entries
        gone = 0
        while self._size > self._limit:
            name, value = entries[gone]
            self._size -= len(name) + len(value) + _ENTRY_OVERHEAD_BYTES
            gone += 1
        del entries[:gone]

    def _resize(self, block: bytes, at: int) -> int:
        limit = block[at] & _5_BITS
        at += 1
        if limit == _5_BITS:
            limit, at = _integer(block, at, _5_BITS)
        if limit > self._ceiling:
            raise HeaderBlockError(f"a table of {limit} bytes, the peer allows {self._ceiling}")
        self._limit = limit
        self._remembered.clear()
        self._evict()
        return at


def _integer(block: bytes, at: int, prefix: int) -> tuple[int, int]:
    """The integer whose prefix was full, and where it ends (RFC 7541 section 5.1)."""
    value, shift = prefix, 0
    for offset in range(_MOST_INTEGER_BYTES):
        byte = block[at + offset]
        value += (byte & _7_BITS) << shift
        if not byte & _MORE:
            return value, at + offset + 1
        shift += 7
    raise HeaderBlockError("an integer of more than 5 bytes")


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    first = block[at]
    length = first & _7_BITS
    at += 1
    if length == _7_BITS:
        length, at = _integer(block, at, _7_BITS)
    end = at + length
    if end > len(block):
        raise HeaderBlockError("a string ends behind its block")
    encoded = block[at:end]
    return (decode(encoded) if first & _HUFFMAN else encoded), end
