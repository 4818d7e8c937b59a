"""The checkpoints of a ledger between the lines of an export, so that they leave the node too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from nsledger.ledger.checkpoint import Checkpoint, NotACheckpointError

_NONE: Final = 1 << 63


class CheckpointsAlong:
    """Of one ledger, those behind `after_seq`, each given once. The file may grow meanwhile."""

    def __init__(self, path: str, *, ledger_id: str, after_seq: int) -> None:
        """Opens the file.

        Raises:
            OSError: it is not there, or cannot be read.
        """
        self._file = open(path, "rb")  # noqa: SIM115 - for as long as the export goes on
        self._ledger_id = ledger_id
        self._seq = after_seq
        self._next: Checkpoint | None = None
        self.look_again()

    @property
    def next_seq(self) -> int:
        """Of the entry behind which the next one is due; larger than any where none is known."""
        return _NONE if self._next is None else self._next.head.seq

    def begin_at(self, seq: int) -> None:
        """Pass over those of entries before `seq`: the export has none of these."""
        self._seq = max(self._seq, seq - 1)
        if self.next_seq < seq:
            self._next = None
            self.look_again()

    def look_again(self) -> None:
        """See whether there are more by now."""
        while self._next is None:
            began = self._file.tell()
            line = self._file.readline()
            if not line.endswith(b"\n"):
                self._file.seek(began)  # nothing, or one that is being written
                return
            try:
                found = Checkpoint.parse(line.decode("ascii", errors="replace"))
            except NotACheckpointError:
                continue  # what a crash left; `nsledger verify --checkpoint` is strict
            if found.ledger_id == self._ledger_id and found.head.seq > self._seq:
                self._next = found

    def through(self, seq: int) -> Iterator[bytes]:
        """The lines of those that are of entries up to `seq`: `{"checkpoint":"nsledger-…"}`."""
        while self._next is not None and self._next.head.seq <= seq:
            told = {"checkpoint": self._next.line.rstrip("\n")}
            yield json.dumps(told, separators=(",", ":")).encode("ascii") + b"\n"
            self._seq, self._next = self._next.head.seq, None
            self.look_again()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
