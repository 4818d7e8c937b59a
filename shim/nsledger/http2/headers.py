"""Follow the HPACK of one direction: header blocks in, fields out, nothing encoded.

A block of a stream that nobody looks at still changes the table that later blocks point into, so
every block is followed. The `hpack` library takes nine times as long for the three blocks of a
small call whose deadline is new each time (36 us against 4, side by side on a busy machine), where
a proxy in C adds about 100 to the whole call. The property tests hold this decoder to that library.

Source: RFC 7541.
"""

from __future__ import annotations

from typing import Final

from nsledger.http2.huffman import HuffmanError
from nsledger.http2.huffman import decode as decode_huffman
from nsledger.http2.static_table import STATIC_TABLE

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
    return (decode_huffman(encoded) if first & _HUFFMAN else encoded), end
