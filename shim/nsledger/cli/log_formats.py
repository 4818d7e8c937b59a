"""How `nsledger log` writes entries to standard output: one class per form."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Final, Literal, Protocol, assert_never

import msgspec

from nsledger.cli.output import write_lines
from nsledger.ledger.checkpoint import Checkpoint, NotACheckpointError
from nsledger.ledger.line import Entry
from nsledger.model.record import decode
from nsledger.render.json_yaml import to_yaml
from nsledger.render.log_table import LogTable
from nsledger.render.text import Screen, inert_json

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


LogFormat = Literal["table", "wide", "json", "jsonl", "yaml"]


class LogWriter(Protocol):
    """Writes entries one by one."""

    def begin(self) -> None:
        """Write what stands before the first."""

    def write(self, entry: Entry) -> None:
        """Write one."""

    def pause(self) -> None:
        """Nothing comes for a while: let the reader have it all."""

    def end(self) -> None:
        """Write what stands behind the last."""


def log_writer(
    output: LogFormat, screen: Screen, along: CheckpointsAlong | None = None
) -> LogWriter:
    """The writer for `output`; `along` goes with jsonl only."""
    match output:
        case "table" | "wide":
            return _Table(LogTable(screen, wide=output == "wide"))
        case "json":
            return _JsonArray()
        case "jsonl":
            return _AsWritten(along)
        case "yaml":
            return _YamlDocuments()
        case _:
            assert_never(output)


class _Table:
    def __init__(self, table: LogTable) -> None:
        self._table = table

    def begin(self) -> None:
        pass

    def write(self, entry: Entry) -> None:
        write_lines(self._table.lines(decode(entry.line)))

    def pause(self) -> None:
        sys.stdout.flush()

    def end(self) -> None:
        pass


class _AsWritten:
    """The very bytes, except on a terminal, which must not obey them."""

    def __init__(self, along: CheckpointsAlong | None) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._along = along
        self._next_seq = 0
        """Of the next checkpoint."""
        self._seq = 0
        """Of the last entry; 0 before the first."""

    def begin(self) -> None:
        sys.stdout.flush()

    def write(self, entry: Entry) -> None:
        self._put(entry.line)
        if self._along is not None:
            if not self._seq:
                self._along.begin_at(entry.seq)
                self._next_seq = self._along.next_seq
            self._seq = entry.seq
            if entry.seq >= self._next_seq:
                self._put_checkpoints(self._along)

    def pause(self) -> None:
        if self._along is not None:
            self._along.look_again()
            self._put_checkpoints(self._along)
        sys.stdout.flush()

    def end(self) -> None:
        if self._along is not None:
            self._along.close()

    def _put(self, line: bytes) -> None:
        if self._is_terminal:
            sys.stdout.write(inert_json(line.decode(errors="replace")))
        else:
            sys.stdout.buffer.write(line)

    def _put_checkpoints(self, along: CheckpointsAlong) -> None:
        for line in along.through(self._seq):
            self._put(line)
        self._next_seq = along.next_seq


class _JsonArray:
    def __init__(self) -> None:
        self._before = "\n"

    def begin(self) -> None:
        sys.stdout.write("[")

    def write(self, entry: Entry) -> None:
        line = inert_json(entry.line.decode(errors="replace").rstrip("\n"))
        sys.stdout.write(self._before + line)
        self._before = ",\n"

    def pause(self) -> None:
        sys.stdout.flush()

    def end(self) -> None:
        sys.stdout.write("\n]\n" if self._before == ",\n" else "]\n")


class _YamlDocuments:
    def begin(self) -> None:
        pass

    def write(self, entry: Entry) -> None:
        sys.stdout.write("---\n" + to_yaml(msgspec.json.decode(entry.line)))

    def pause(self) -> None:
        sys.stdout.flush()

    def end(self) -> None:
        pass
