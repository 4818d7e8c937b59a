"""How `nsledger log` writes entries to standard output: one class per form."""

from __future__ import annotations

import sys
from typing import Literal, Protocol, assert_never

import msgspec

from nsledger.cli.checkpoints_along import CheckpointsAlong
from nsledger.cli.terminal import write_lines
from nsledger.domain.record import decode
from nsledger.ledger.entry import Entry
from nsledger.report.log_table import LogTable
from nsledger.report.screen import Screen
from nsledger.report.structured import to_yaml
from nsledger.report.text import inert_json

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
