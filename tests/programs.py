"""`nsledger` as a program of its own, as a shell or a terminal runs it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

SHIM = Path(__file__).parents[1] / "shim"
COMMAND = (sys.executable, "-m", "nsledger.cli.main")


def environment(ledger: Path, **more: str) -> dict[str, str]:
    """A small one, without what a developer's shell may have set."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SHIM),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
        "TZ": "UTC",
        "NSLEDGER_LEDGER": str(ledger),
        "NSLEDGER_PAGER": "",
        **more,
    }


def run(
    arguments: Sequence[str], env: Mapping[str, str], *, columns: int | None = None
) -> tuple[int, str]:
    """Run to its end; exit status and output. With `columns`, standard output is a terminal."""
    if columns is None:
        done = subprocess.run(
            [*COMMAND, *arguments], env=env, capture_output=True, timeout=60, check=False
        )
        return done.returncode, done.stdout.decode()
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    with subprocess.Popen([*COMMAND, *arguments], env=env, stdout=theirs) as process:
        os.close(theirs)
        output = b""
        # A terminal that nobody writes to any more reads as EIO.
        while chunk := _read(ours):
            output += chunk
        os.close(ours)
        return process.wait(60), output.decode().replace("\r\n", "\n")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 1 << 16)
    except OSError:
        return b""


@contextlib.contextmanager
def started(arguments: Sequence[str], env: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run what goes on until it is ended; killed at the end whatever becomes of it."""
    with subprocess.Popen(
        [*COMMAND, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def install(directory: Path) -> Path:
    """A directory for PATH in which `nsledger` is this checkout's."""
    directory.mkdir()
    program = directory / "nsledger"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m nsledger.cli.main "$@"\n')
    program.chmod(0o755)
    return directory
