"""The file of checkpoints: one line each, only ever added to.

They are read from JSON lines too, where they stand under the key `checkpoint`: so they are in the
daemon's log, and so in an export.

It stands on the node, where root may do with it as with the ledger; what convicts is a copy of it
elsewhere. Lines of several ledgers, one after the other, are in order.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

from nsledger import bounds
from nsledger.ledger import files
from nsledger.ledger.checkpoint import FORMAT, LINE_BYTES, Checkpoint, NotACheckpointError
from nsledger.ledger.errors import LedgerError

STANDARD_INPUT: Final = "-"
_FILE_MODE: Final = 0o644
"""It holds hashes and signatures only, and who carries it away need not be root."""
_DIRECTORY_MODE: Final = 0o755


class NoCheckpointsError(LedgerError):
    """A file that should hold checkpoints and does not."""

    hint = "`nsledger serve` writes them to its checkpoint_file and to its log."

    def __init__(self, *, path: str, line_number: int = 0, found: str) -> None:
        place = f"{path}:{line_number}" if line_number else path
        super().__init__(f"{place}: {found}")
        self.path, self.line_number = path, line_number


def append(path: str, checkpoint: Checkpoint) -> None:
    """Put `checkpoint` at the end of the file, durably; the file is made if it is missing.

    What a full disk or a crash left of a line before it is cut off first.

    Raises:
        NoCheckpointsError: the file ends with something else.
        OSError: the disk refuses. The file is as it was, as far as that can be had.
    """
    path = os.path.abspath(path)
    files.make_directory(os.path.dirname(path), _DIRECTORY_MODE)
    try:
        descriptor = files.create_file(path, _FILE_MODE)
    except FileExistsError:
        descriptor = files.open_file(path, writable=True)
    try:
        files.wait_for_lock(descriptor)  # while one daemon replaces another there are two
        size = os.fstat(descriptor).st_size
        start = max(0, size - LINE_BYTES)
        tail = files.read_at(descriptor, size - start, start)
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not FORMAT.startswith(torn[: len(FORMAT)].decode("latin-1")):
            raise NoCheckpointsError(path=path, found=f"it ends with {torn[:40]!r}")
        end = size - len(torn)
        if torn:
            files.cut_at(descriptor, end)
        try:
            files.write_at(descriptor, checkpoint.line.encode("ascii"), end)
            os.fdatasync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # the caller hears of the first failure
                files.cut_at(descriptor, end)
            raise
    finally:
        os.close(descriptor)


def newest(path: str, count: int) -> tuple[Checkpoint, ...]:
    """The last `count` checkpoints of a file that `append` wrote, the newest first.

    Lines that are none are passed over. Signatures are not looked at.

    Raises:
        OSError: it cannot be read.
    """
    descriptor = files.open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        start = max(0, size - count * LINE_BYTES)
        lines = files.read_at(descriptor, size - start, start).split(b"\n")[:-1]
    finally:
        os.close(descriptor)
    found: list[Checkpoint] = []
    for line in reversed(lines):
        with contextlib.suppress(NotACheckpointError):
            found.append(Checkpoint.parse(line.decode("ascii", errors="backslashreplace")))
    return tuple(found[:count])


def read(path: str) -> tuple[Checkpoint, ...]:
    """All checkpoints of the file at `path`, or of standard input for `-`, in its order.

    Lines that are JSON objects without one are passed over. A last line without its newline is one
    being written. Signatures are not looked at.

    Raises:
        NoCheckpointsError: a line is none, or there is not one.
        OSError: it cannot be read.
    """
    if path == STANDARD_INPUT:
        return _parse(sys.stdin.buffer, "standard input")
    descriptor = _opened(path)
    with open(descriptor, "rb") as file:
        return _parse(file, path)


def _opened(path: str) -> int:
    """A regular file, or a pipe that the shell made of a command: `<(…)`, a descriptor of ours."""
    if path.startswith(("/dev/fd/", "/proc/self/fd/")):
        return os.open(path, os.O_RDONLY)
    return files.open_file(path, follow_links=True)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file`; of one that is too long, as much as tells that."""
    yield from iter(lambda: file.readline(bounds.CHECKPOINT_LINE_BYTES + 1), b"")


class _Told(msgspec.Struct):
    checkpoint: str = ""


def _text_of(line: bytes) -> str:
    """The line, or of a JSON object what it says under `checkpoint`; empty if it says nothing."""
    bounds.check(line, most_bytes=bounds.CHECKPOINT_LINE_BYTES, depth=bounds.CHECKPOINT_DEPTH)
    if line.startswith(b"{"):
        return msgspec.json.decode(line, type=_Told).checkpoint
    return line.decode("ascii", errors="backslashreplace")


def _parse(file: BinaryIO, path: str) -> tuple[Checkpoint, ...]:
    found: list[Checkpoint] = []
    for number, line in enumerate(_lines(file), start=1):
        try:
            text = _text_of(line)
            if text:
                found.append(Checkpoint.parse(text))
        except (NotACheckpointError, msgspec.DecodeError, bounds.OutOfBoundsError) as error:
            if not line.endswith(b"\n") and found:
                break
            raise NoCheckpointsError(path=path, line_number=number, found=str(error)) from error
    if not found:
        raise NoCheckpointsError(path=path, found="found no line, needed checkpoints")
    return tuple(found)
