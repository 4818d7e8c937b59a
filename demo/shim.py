"""`nsledger` as a user runs it, in front of a private node: the daemon, and the commands that ask.

The one place that knows its command line.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import tomlkit

from nsledger.errors import NsledgerError
from nsledger.ledger import reader
from nsledger.ledger.place import NoLedgerError
from nsledger.model import record
from nsledger.model.record import Record

_NSLEDGER: Final = str(Path(sys.executable).with_name("nsledger"))
_LIMIT_S: Final = 30.0


class ShimFailedError(NsledgerError):
    """The daemon did not get where it should."""

    def __init__(self, *, wanted: str, log: str) -> None:
        super().__init__(f"nsledger serve did not get to {wanted}:\n{log}")


class CommandFailedError(NsledgerError):
    """A command that asks the ledger did not exit 0."""

    def __init__(self, command: tuple[str, ...], code: int, stderr: str) -> None:
        super().__init__(f"nsledger {' '.join(command)}: exit code {code}\n{stderr}".rstrip())
        self.code = code


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the daemon of a private node has its things."""

    directory: Path

    @property
    def configuration(self) -> Path:
        """nsledger.toml."""
        return self.directory / "nsledger.toml"

    @property
    def socket(self) -> str:
        """Where the kubelet calls."""
        return str(self.directory / "nsledger.sock")

    @property
    def ledger(self) -> Path:
        """The directory of the ledger."""
        return self.directory / "ledger"

    @property
    def spool(self) -> Path:
        """Where the hook leaves its records."""
        return self.directory / "spool"

    @property
    def log(self) -> Path:
        """What the daemon says on standard error."""
        return self.directory / "nsledger.log"


class Fronted(Protocol):
    """What a daemon can be put in front of; `PrivateNode` is one."""

    directory: Path
    """For everything that the daemon keeps."""
    socket: str
    """Where the runtime listens."""


class Shim:
    """`nsledger serve`, from `__enter__` until `__exit__` has drained it."""

    def __init__(self, node: Fronted, **settings: float | bool) -> None:
        """Nothing is started yet; `settings` are keys of nsledger.toml."""
        self._settings = settings
        self.paths = Paths(node.directory)
        self._upstream = node.socket
        self._serve: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the daemon, and wait until it listens.

        Raises:
            ShimFailedError: with the end of its log.
        """
        paths = self.paths
        told = {
            "listen": paths.socket,
            "upstream": self._upstream,
            "ledger": str(paths.ledger),
            "spool": str(paths.spool),
            # A laptop or a CI machine that is busy with other work is no node: give it time.
            "hold_limit_s": 5.0,
            **self._settings,
        }
        paths.configuration.write_text(tomlkit.dumps(told))
        self._serve = self._spawn()
        self._wait("listening", lambda: _listens(paths.socket))

    def take_over(self) -> None:
        """Replace the daemon by another, and wait until the first has ended.

        Raises:
            ShimFailedError: it did not, or did not exit 0.
        """
        before, self._serve = self._serve, self._spawn("--take-over")
        if before is not None:
            self._wait("taking over", lambda: before.poll() is not None)
            if before.returncode:
                raise ShimFailedError(wanted="a clean end", log=self._end_of_log())

    def _spawn(self, *flags: str) -> subprocess.Popen[bytes]:
        serve = [_NSLEDGER, "serve", "--config", str(self.paths.configuration), *flags]
        with self.paths.log.open("ab") as log:
            return subprocess.Popen(
                # It must not outlive us, and a terminal's Ctrl-C is for us.
                ["setpriv", "--pdeathsig", "TERM", *serve],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )

    def stop(self) -> None:
        """Drain the daemon: SIGTERM, and wait for its end.

        Raises:
            ShimFailedError: it did not exit 0.
        """
        if self._serve is None:
            return
        serve, self._serve = self._serve, None
        serve.send_signal(signal.SIGTERM)
        try:
            code = serve.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            serve.kill()
            code = serve.wait()
        if code:
            raise ShimFailedError(wanted=f"a clean end (exit code {code})", log=self._end_of_log())

    def kill(self) -> None:
        """End the daemon as a crash does: SIGKILL."""
        if self._serve is not None:
            self._serve.kill()
            self._serve.wait()
            self._serve = None

    def records(self) -> Iterator[Record]:
        """What the ledger says by now."""
        for entry in reader.entries(str(self.paths.ledger)):
            yield record.decode(entry.line)

    def wait_for(self, wanted: str, reached: Callable[[list[Record]], bool]) -> list[Record]:
        """The ledger's records, once `reached` is true of them: it writes beside the calls.

        Raises:
            ShimFailedError: it did not become true.
        """
        found: list[Record] = []

        def look() -> bool:
            try:
                found[:] = self.records()
            except (FileNotFoundError, NoLedgerError):
                found.clear()  # it serves the kubelet before it has made its ledger
            return reached(found)

        self._wait(wanted, look)
        return found

    def ask(self, *command: str) -> str:
        """What `nsledger COMMAND` prints, about this ledger.

        Raises:
            CommandFailedError: it did not exit 0.
        """
        done = self._run(command, captured=True)
        if done.returncode:
            raise CommandFailedError(command, done.returncode, done.stderr)
        return done.stdout

    def show(self, *command: str) -> None:
        """Let `nsledger COMMAND` print to where we print: colours and width are the terminal's.

        Raises:
            CommandFailedError: it did not exit 0.
        """
        code = self._run(command, captured=False).returncode
        if code:
            raise CommandFailedError(command, code, "")

    def _run(self, command: tuple[str, ...], *, captured: bool) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_NSLEDGER, *command],
            check=False,
            capture_output=captured,
            text=True,
            env={**_environment(), "NSLEDGER_LEDGER": str(self.paths.ledger)},
        )

    def _wait(self, wanted: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _LIMIT_S
        while not reached():
            ended = self._serve is None or self._serve.poll() is not None
            if ended or time.monotonic() > deadline:
                raise ShimFailedError(wanted=wanted, log=self._end_of_log())
            time.sleep(0.02)

    def _end_of_log(self) -> str:
        return "\n".join(self.paths.log.read_text(errors="replace").splitlines()[-15:])


def _environment() -> dict[str, str]:
    """Ours without what would configure an nsledger that this machine runs."""
    return {key: value for key, value in os.environ.items() if not key.startswith("NSLEDGER_")}


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0
