"""Finds the index of a ledger, or makes one for a reader alone.

The daemon keeps one in the ledger's directory. A reader uses it if it is of this ledger: if the
entry that it ends with is there, and hashes to the same, which by the chain is true of all entries
before. Where there is none (a copy, an old ledger, a lone segment), the reader builds one. That is
faster than folding the ledger even for one answer, since an index needs a third of each record and
a fold needs it whole; one that took longer is kept for the next time, in the reader's own cache.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import sqlite3
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from nsledger.index.builder import Builder, Progress, lines, uncollected
from nsledger.index.entries import Entries, is_sealed, seal, wait_until_sealed
from nsledger.index.store import Mark, make_quick, make_tables, mark, pointer_of
from nsledger.ledger import files, place
from nsledger.ledger.errors import LedgerError

TAIL_LIMIT: Final = 5_000
"""Entries behind the index that a reader takes along; of more, it had better be extended first."""

NAME: Final = "index.sqlite"
LOCK_NAME: Final = "index.lock"
FILE_MODE: Final = 0o640
_KEPT_BYTES: Final = 32 << 20
"""An index of a smaller ledger is made in well under a second, and not kept."""
_WAIT_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Index:
    """An index that can be asked, in one state of it."""

    database: sqlite3.Connection
    reached: Mark
    passed_over: str = ""
    """Why the index beside the ledger was not believed; empty if it was, or there is none."""


@contextlib.contextmanager
def opened(
    ledger: str, *, cache: str | None, progress: Progress | None = None, anew: bool = False
) -> Generator[Index]:
    """The index of the ledger at `ledger`, up to its end but for `TAIL_LIMIT` entries.

    Args:
        ledger: A directory, or one segment.
        cache: A directory for one that is worth keeping; None keeps none.
        progress: Told, in bytes of the ledger, how far the building of one is.
        anew: Believe no index that is there: an entry is not what it was indexed as.

    Raises:
        LedgerError: there is no ledger.
        OSError: it cannot be read.
    """
    passed_over = ""
    with contextlib.ExitStack() as held:
        shared = None if anew else held.enter_context(_shared(ledger))
        if shared is not None:
            if not shared.passed_over:
                yield shared
                return
            passed_over = shared.passed_over
    with _private(ledger, cache) as (database, kept):
        reached = None
        if not anew and (kept is None or is_sealed(kept)):
            reached = usable(database, ledger)
        database.rollback()
        if reached is None:
            _empty(database)
            reached = Mark()
        if kept is not None:
            seal(kept)
        builder = Builder(database, ledger, reached, sealed=kept)
        with uncollected():
            builder.extend(progress=progress)
        make_quick(database)
        if kept is not None:
            seal(kept)
        yield Index(database, builder.reached, passed_over)


@contextlib.contextmanager
def existing(ledger: str, *, cache: str | None) -> Generator[Index | None]:
    """As `opened`, if an index is there that need not be built or extended first.

    Raises:
        As `opened`.
    """
    with contextlib.ExitStack() as held:
        shared = held.enter_context(_shared(ledger))
        if shared is not None and not shared.passed_over:
            yield shared
            return
        path = "" if cache is None else _kept_path(ledger, cache)
        kept = reading(path) if path and is_sealed(path) else None
        if kept is not None:
            held.enter_context(contextlib.closing(kept))
            found = usable(kept, ledger)
            if found is not None and _is_near(ledger, found):
                yield Index(kept, found)
                return
        yield None


@contextlib.contextmanager
def _shared(ledger: str) -> Generator[Index | None]:
    """The index beside the ledger, if there is one of it; `passed_over` if it is not believed."""
    path = os.path.join(ledger, NAME)
    database = reading(path) if os.path.isdir(ledger) else None
    if database is None:
        yield None
        return
    with contextlib.closing(database):
        found = usable(database, ledger)
        if found is None or not _is_near(ledger, found):
            yield None
        elif wait_until_sealed(path):
            yield Index(database, found)
        else:
            yield Index(database, found, f"{path} was changed by another program, or copied")


def _is_near(ledger: str, reached: Mark) -> bool:
    """Whether what is behind an index is little enough to be read each time."""
    behind = lines(ledger, reached.seq, reached.end)
    return next(itertools.islice(behind, TAIL_LIMIT, None), None) is None


def reading(path: str) -> sqlite3.Connection | None:
    """The index at `path` for reading; None if there is none.

    On a medium that cannot be written SQLite makes no room for its lock; then nobody else can write
    either, and the file is read as it is, unless a writer died and left its last rows beside it.
    """
    if not os.path.exists(path):
        return None
    options = ["mode=ro"]
    with contextlib.suppress(OSError):
        if not os.access(os.path.dirname(path), os.W_OK) and not _has_rows_beside(path):
            options.append("immutable=1")
    try:
        database = sqlite3.connect(
            f"file:{quote(path)}?{'&'.join(options)}", uri=True, isolation_level=None
        )
    except sqlite3.Error:
        return None
    database.execute(f"PRAGMA busy_timeout = {_WAIT_MS}")
    return database


def usable(database: sqlite3.Connection, ledger: str) -> Mark | None:
    """The mark of an index if it is of this version and of this ledger.

    Begins a transaction, so that the mark stays true of what is read.
    """
    with contextlib.suppress(sqlite3.Error):
        database.execute("BEGIN")
    reached = mark(database)
    if reached is None or not belongs(reached, ledger):
        with contextlib.suppress(sqlite3.Error):
            database.rollback()
        return None
    return reached


def belongs(reached: Mark, ledger: str) -> bool:
    """Whether the ledger has the entry that an index ends with."""
    if not reached.seq:
        return True
    try:
        found = list(Entries(ledger).read([pointer_of(reached)]))
    except (LedgerError, OSError):
        return False
    return [entry.head.digest for entry in found] == [reached.digest]


def _has_rows_beside(path: str) -> bool:
    try:
        return os.stat(f"{path}-wal").st_size > 0
    except FileNotFoundError:
        return False


def _empty(database: sqlite3.Connection) -> None:
    """Make the tables, in place of what may be there."""
    for (name,) in database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"):
        database.execute(f'DROP TABLE "{name}"')
    make_tables(database)


@contextlib.contextmanager
def _private(ledger: str, cache: str | None) -> Generator[tuple[sqlite3.Connection, str | None]]:
    """A database that nobody else writes, and its path if it is kept in `cache`."""
    with contextlib.ExitStack() as held:
        path = ":memory:"
        if place.find(ledger).size_bytes >= _KEPT_BYTES:
            # An empty name is a file of SQLite's own that is gone when it is closed.
            path = "" if cache is None else held.enter_context(_kept(ledger, cache))
        try:
            database = held.enter_context(_connected(path))
        except sqlite3.DatabaseError:  # what an earlier reader left when it was killed
            os.unlink(path)
            database = held.enter_context(_connected(path))
        yield database, path if path not in {"", ":memory:"} else None


@contextlib.contextmanager
def _connected(path: str) -> Generator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
        database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        yield database


@contextlib.contextmanager
def _kept(ledger: str, cache: str) -> Generator[str]:
    """A file in `cache` for the index of `ledger`, held against others; else an empty name."""
    path = _kept_path(ledger, cache)
    try:
        os.makedirs(cache, mode=0o700, exist_ok=True)
        lock = files.lock_file(f"{path}.lock", 0o600)
    except OSError:
        yield ""
        return
    try:
        yield path
    finally:
        os.close(lock)


def _kept_path(ledger: str, cache: str) -> str:
    name = hashlib.sha256(os.fsencode(os.path.realpath(ledger))).hexdigest()[:32]
    return os.path.join(cache, f"{name}.sqlite")
