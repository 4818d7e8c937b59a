"""Keeps the index of a ledger that is being written, in a process of its own.

It reads the ledger like any reader, a moment behind. Nothing it does can hold up or fail the
record: it runs when nobody else wants the processor or the disk (SCHED_IDLE, by which the kernel
also makes its I/O idle), and not on the daemon's interpreter. When the index cannot be written, or
somebody else wrote it, it is dropped, counted, and built again later; when the disk gets full it
goes first, and leaves its room to the ledger.

    daemon: UpdaterProcess ──stdin: a byte for news, its end for "stop"──▶ process: IndexUpdater
                           ◀──stdout: what it logs, a JSON object a line──

Source: sched(7), ioprio_set(2).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from typing import Final

import structlog

from nsledger.errors import NsledgerError
from nsledger.index import lock
from nsledger.index.builder import Builder
from nsledger.index.entries import IndexAlteredError, is_sealed, seal
from nsledger.index.opening import usable
from nsledger.index.store import Mark, make_quick, make_tables

log = structlog.get_logger(__name__)

_GATHER_S: Final = 0.25
"""How long entries gather before they are indexed together."""
_BATCH: Final = 256
_PAUSE_S: Final = 0.01
"""After each batch: one of a few milliseconds lets the relay's thread go on in between, also while
an index of a year is caught up with."""
_LOOK_S: Final = 5.0
"""How often it looks whether its file is still there, while nothing is new."""
_NICE: Final = 19
_LEAST_FREE_BYTES: Final = 64 << 20
_FIRST_RETRY_S: Final = 1.0
_LONGEST_RETRY_S: Final = 60.0


class NoRoomError(NsledgerError):
    """The disk is nearly full: what is left is for the ledger."""

    def __init__(self, *, path: str, free_bytes: int) -> None:
        super().__init__(f"{path}: found {free_bytes} bytes free, needed {_LEAST_FREE_BYTES}")
        self.path, self.free_bytes = path, free_bytes


class IndexUpdater:
    """Keeps the index in the directory of a ledger, from `start` to `close`."""

    def __init__(self, ledger: str) -> None:
        self.failures = 0
        """How often it had to be dropped or waited for."""
        self._ledger = ledger
        self._reached = 0
        self._news = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)

    @property
    def seq(self) -> int:
        """The last entry that is indexed."""
        return self._reached

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self._thread.start()

    def wake(self, *_: object) -> None:
        """There is something new in the ledger. Returns at once; for any thread."""
        self._news.set()

    def run(self) -> None:
        """As `start`, on the caller's thread, until `stop`."""
        self._run()

    def stop(self) -> None:
        """Have it end soon; for any thread."""
        self._closed.set()
        self._news.set()

    def close(self, timeout_s: float) -> None:
        """End; what is not indexed yet is left to the next one, and until then to the readers."""
        self.stop()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        # A daemon's first start serves the kubelet before it makes the ledger.
        while not os.path.isdir(self._ledger) and not self._closed.wait(_GATHER_S):
            pass
        retry_s = _FIRST_RETRY_S
        while not self._closed.is_set():
            before = self._reached
            try:
                with lock.locked(self._ledger) as path:
                    self._keep(path)
                    continue
            except BlockingIOError:
                # A daemon that hands over has it until it ends, `nsledger reindex` while it builds.
                log.info("index.written_elsewhere", retry_s=retry_s)
            except (OSError, sqlite3.Error, NsledgerError) as error:
                self.failures += 1
                log.warning("index.failed", error=type(error).__name__, retry_s=retry_s)
            self._closed.wait(retry_s)
            retry_s = min(2 * retry_s, _LONGEST_RETRY_S)
            if self._reached > before:
                retry_s = _FIRST_RETRY_S

    def _keep(self, path: str) -> None:
        """Keep the index at `path` until the end, or until someone takes it away."""
        try:
            self._leave_room(path)
            with lock.writing(path) as database:
                builder = self._begin(database, path)
                identity = os.stat(path).st_ino
                while not self._closed.is_set() and _is(path, identity):
                    self._news.clear()
                    builder.extend(batch=_BATCH, go_on=self._pause)
                    self._reached = builder.reached.seq
                    self._news.wait(_LOOK_S)
                    self._closed.wait(_GATHER_S)
                    self._leave_room(path)
            seal(path)  # what SQLite does with its log when it closes is ours as well
        except (sqlite3.Error, NoRoomError, IndexAlteredError):
            lock.drop(path)
            raise

    def _leave_room(self, path: str) -> None:
        status = os.statvfs(os.path.dirname(path))
        free_bytes = status.f_bavail * status.f_frsize
        if free_bytes < _LEAST_FREE_BYTES:
            raise NoRoomError(path=path, free_bytes=free_bytes)

    def _begin(self, database: sqlite3.Connection, path: str) -> Builder:
        reached = usable(database, self._ledger)
        database.rollback()
        if reached is not None and not is_sealed(path):
            raise IndexAlteredError(path=path)
        if reached is None:
            with database:
                for (name,) in database.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table'"
                ).fetchall():
                    database.execute(f'DROP TABLE "{name}"')
            make_tables(database)
            make_quick(database)
            seal(path)
            reached = Mark()
        return Builder(database, self._ledger, reached, sealed=path)

    def _pause(self) -> bool:
        return not self._closed.wait(_PAUSE_S)


def _is(path: str, inode: int) -> bool:
    """Whether `path` still leads to the file that is open."""
    try:
        return os.stat(path).st_ino == inode
    except FileNotFoundError:
        return False


class UpdaterProcess:
    """An `IndexUpdater` in a process of its own, started again when it ends unasked."""

    def __init__(self, ledger: str) -> None:
        self.failures = 0
        """How often an index had to be dropped or waited for, or the process ended."""
        self._ledger = ledger
        self._closed = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._run, name="index", daemon=True)

    def start(self) -> None:
        """Begin; the thread only starts the process and reads what it logs."""
        self._thread.start()

    def wake(self, *_: object) -> None:
        """There is something new in the ledger. Returns at once; for any thread."""
        process = self._process
        if process is not None and process.stdin is not None:
            # Full of such bytes is as good as one; and it may just have ended.
            with contextlib.suppress(OSError, ValueError):
                os.write(process.stdin.fileno(), b"\n")

    def close(self, timeout_s: float) -> None:
        """End it; what is not indexed yet is left to the next one."""
        self._closed.set()
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError, ValueError):
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        while not self._closed.is_set():
            try:
                with subprocess.Popen(
                    [sys.executable, "-I", "-c", _PROGRAM, json.dumps(sys.path), self._ledger],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    close_fds=True,
                    start_new_session=True,  # Ctrl-C at a terminal is for the daemon
                ) as process:
                    self._follow(process)
            except OSError as error:
                log.warning("index.no_process", error=type(error).__name__)
            if not self._closed.is_set():
                self.failures += 1
                log.warning("index.process_ended", retry_s=retry_s)
            self._closed.wait(retry_s)
            retry_s = min(2 * retry_s, _LONGEST_RETRY_S)

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            return
        os.set_blocking(process.stdin.fileno(), False)
        self._process = process
        if self._closed.is_set():
            process.stdin.close()
        for line in process.stdout:
            with contextlib.suppress(ValueError):
                told = json.loads(line)
                self.failures += told["event"] == "index.failed"
                log.warning(told.pop("event"), **told)
        process.wait()


_PROGRAM: Final = """\
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from nsledger.index.updater import main
main(sys.argv[2])
"""


def main(ledger: str) -> None:
    """The process: until its standard input ends."""
    give_way()
    # Whoever stops the whole service stops the daemon too, and then standard input ends.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    structlog.configure(
        processors=[structlog.processors.JSONRenderer()],
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
    updater = IndexUpdater(ledger)

    def listen() -> None:
        while os.read(0, 4096):
            updater.wake()
        updater.stop()

    threading.Thread(target=listen, name="listen", daemon=True).start()
    updater.run()


def give_way() -> None:
    """Run only when nobody else wants to; where that is forbidden, as nearly so as is allowed."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
