"""One line of a segment, taken apart without being decoded."""

from __future__ import annotations

import re
from typing import Final, Self

import msgspec

from nsledger.ledger.chain import Head, digest_of
from nsledger.ledger.errors import NotAnEntryError

_OPENING: Final = re.compile(rb'\{"seq":([1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})",(?=")').match
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
        NotAnEntryError: it is not JSON, or not UTF-8.
    """
    try:
        _check_json(line)
        if not line.isascii():
            line.decode()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAnEntryError(line=line, reason=str(error)) from error
