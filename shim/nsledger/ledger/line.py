"""One line of a segment, taken apart without being decoded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Self

import msgspec

from nsledger import bounds
from nsledger.ledger.errors import NotAnEntryError, NotARecordError

# How one entry follows another: pure, the only place where a link is made.
#
# An entry is one line, `{"seq":12,"prev":"<64 hex>",` and the record's own fields. `prev` is the
# SHA-256 of the whole line before as written, newline included, so `sed -n 12p FILE | sha256sum`
# prints the `prev` of line 13. No part of a record is looked into.
#
# Source: FIPS 180-4; RFC 8259 (a JSON text needs no line feed, so a line holds a whole one).

MAX_RECORD_BYTES: Final = 1 << 20
"""A reader's memory is bounded by the longest line; a record of nsledger has about 1 KB."""
MAX_LINE_BYTES: Final = MAX_RECORD_BYTES + 128
"""The same with `seq`, `prev` and the newline."""
TOO_LONG: Final = f"needed a newline in {MAX_LINE_BYTES} bytes"


class Head(msgspec.Struct, frozen=True):
    """Where a ledger ends: enough to append to it, and to tell whether another one is the same."""

    seq: int
    """Of the last entry; 0 before the first."""
    digest: str
    """SHA-256 of the last line, 64 lower-case hexadecimal digits; zeros before the first."""


GENESIS: Final = Head(seq=0, digest="0" * 64)


def opening(head: Head) -> bytes:
    """What the line after `head` begins with, up to the record's own fields."""
    return b'{"seq":%d,"prev":"%b",' % (head.seq + 1, head.digest.encode())


def digest_of(line: bytes) -> str:
    """The `prev` of the line after `line`, which ends with its newline."""
    return sha256(line).hexdigest()


def link(head: Head, records: Iterable[bytes]) -> tuple[bytes, Head]:
    """The lines that put `records` after `head`, and the head they lead to.

    Raises:
        NotARecordError: one of them is no JSON object with a field, or spans lines, or is longer
            than `MAX_RECORD_BYTES`.
    """
    seq, digest = head.seq, head.digest
    lines: list[bytes] = []
    for record in records:
        if record[:2] != b'{"' or record[-1:] != b"}" or b"\n" in record:
            raise NotARecordError(index=len(lines), reason="needed one JSON object on one line")
        if len(record) > MAX_RECORD_BYTES:
            raise NotARecordError(index=len(lines), reason=f"{len(record)} bytes are too long")
        seq += 1
        line = b'{"seq":%d,"prev":"%b",%b\n' % (seq, digest.encode(), record[1:])
        digest = sha256(line).hexdigest()
        lines.append(line)
    return b"".join(lines), Head(seq, digest)


_OPENING: Final = re.compile(rb'\{"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",(?=")').match
_check_json: Final = msgspec.json.Decoder(msgspec.Raw).decode


class Entry(msgspec.Struct, frozen=True):
    """One entry as it stands in the ledger."""

    seq: int
    prev: str
    """SHA-256 of the line before: 64 hexadecimal digits."""
    line: bytes
    """As written, newline included."""

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """The entry that `line`, newline included, opens like. The record is not looked into.

        Raises:
            NotAnEntryError: it does not open with `seq` and `prev`, or does not end an object.
        """
        if len(line) > MAX_LINE_BYTES:
            raise NotAnEntryError(line=line, reason=TOO_LONG)
        opening = _OPENING(line)
        if opening is None:
            raise NotAnEntryError(line=line, reason="needed a line that opens with seq and prev")
        if line[-2:] != b"}\n":
            raise NotAnEntryError(line=line, reason="needed a line that ends an object")
        return cls(seq=int(opening[1]), prev=opening[2].decode(), line=line)

    @property
    def head(self) -> Head:
        """The head of a ledger that ends here."""
        return Head(seq=self.seq, digest=digest_of(self.line))


def check_whole(line: bytes) -> None:
    """Refuse a line that no JSON parser would read: checked apart because it costs.

    Raises:
        NotAnEntryError: it is not JSON, or not UTF-8, or deeper than `bounds.RECORD_DEPTH`.
    """
    try:
        bounds.check_depth(line, bounds.RECORD_DEPTH)
        _check_json(line)
        if not line.isascii():
            line.decode()
    except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
        raise NotAnEntryError(line=line, reason=str(error)) from error
