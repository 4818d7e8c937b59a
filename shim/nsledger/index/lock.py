"""The index in a ledger's directory: who may write it, and how it is made anew.

One process at a time writes it, which a lock says. A whole new one is built beside it and renamed
over it, so that a reader always finds one or the other.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Generator

from nsledger.index.builder import Builder, Progress, uncollected
from nsledger.index.entries import seal, unseal
from nsledger.index.opening import FILE_MODE, LOCK_NAME, NAME
from nsledger.index.store import Mark, make_quick, make_tables
from nsledger.ledger import files

_BESIDE = ("", "-wal", "-shm", "-journal")


@contextlib.contextmanager
def locked(ledger: str) -> Generator[str]:
    """The path of the index in the directory `ledger`, for this process alone to write.

    Raises:
        BlockingIOError: another process writes it.
        OSError: the directory cannot be written.
    """
    lock = files.lock_file(os.path.join(ledger, LOCK_NAME), FILE_MODE)
    try:
        yield os.path.join(ledger, NAME)
    finally:
        os.close(lock)


def drop(path: str) -> None:
    """Remove an index; a reader that has it open keeps it until it is done."""
    unseal(path)
    for suffix in reversed(_BESIDE):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + suffix)


def rebuild(path: str, ledger: str, *, progress: Progress | None = None) -> Mark:
    """Build the index at `path` anew, in place of what is there; how far it goes.

    The caller holds the lock.

    Raises:
        LedgerError: there is no ledger, or a line in it is no entry.
        OSError: it cannot be read.
        sqlite3.Error: the index cannot be written.
    """
    unfinished = f"{path}.new"
    drop(unfinished)
    os.close(files.create_file(unfinished, FILE_MODE))
    try:
        with contextlib.closing(sqlite3.connect(unfinished)) as database:
            # Whatever happens to a file of this name, it is made again.
            database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            make_tables(database)
            builder = Builder(database, ledger, Mark())
            with uncollected():
                builder.extend(progress=progress)
            make_quick(database)
            database.executescript("PRAGMA synchronous = FULL; PRAGMA journal_mode = WAL;")
        drop(path)
        os.rename(unfinished, path)
        seal(path)
    except BaseException:
        drop(unfinished)
        raise
    return builder.reached


@contextlib.contextmanager
def writing(path: str) -> Generator[sqlite3.Connection]:
    """The index at `path` for the one who holds the lock; made if it is not there.

    Readers are never blocked, and never block (write-ahead log); a power cut may take the last
    rows, never the file.

    Raises:
        OSError: it cannot be made.
        sqlite3.Error: it is no database.
    """
    if not os.path.exists(path):
        drop(path)
        os.close(files.create_file(path, FILE_MODE))
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
        yield database
