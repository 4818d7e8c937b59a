"""Runs the hook as a runtime does, and reads what it left."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsledger_hook import hook
from tests.prepared import prepared

PYTHON = "/usr/bin/python3"
"""The interpreter that runtimes are told to run the hook with."""

HOOK = Path(hook.__file__)

HANGS_IN_THE_SPOOL = """
import sys, posix
open_, nowhere = posix.open, posix.pipe()[0]
posix.open = lambda path, *more, **named: (
    posix.read(nowhere, 1) if path.startswith("/hanging") else open_(path, *more, **named)
)
hook = sys.argv.pop(1)
exec(compile(open(hook, "rb").read(), hook, "exec"), {"__name__": "__main__"})
"""
"""A program that runs the hook (its first argument) on a file system that hangs."""

ONE_CLEAN_LINE = re.compile(r"nsledger-hook: [\x20-\x7e]+\n")

PATIENCE_MS = 20_000

Document = dict[str, Any]
"""A JSON object: what the test says about it is the type check."""


@dataclass(frozen=True, slots=True)
class HookRun:
    """How one run of the hook ended."""

    exit_code: int
    stderr: str
    duration_s: float


def state_of(pid: object, **more: object) -> bytes:
    """An OCI state as runc writes it, with `more` members; without a bundle of its own."""
    state: Document = {"ociVersion": "1.0.2", "id": "c0ffee", "status": "creating"}
    if pid is not None:
        state["pid"] = pid
    return json.dumps({**state, **more}).encode()


def run_hook(
    state: bytes,
    *options: object,
    program: Sequence[object] = (PYTHON, "-I", "-S", HOOK),
    prepare: str = "",
) -> HookRun:
    """Run the hook on `state`, with an empty environment as a runtime may give it.

    Its deadline is beyond what a busy machine takes, unless `options` has another; `prepare` is
    Python that is run in its process before.
    """
    started_s = time.monotonic()
    command = [str(word) for word in (*program, "--deadline-ms", PATIENCE_MS, *options)]
    done = subprocess.run(
        prepared(prepare, command) if prepare else command,
        input=state,
        capture_output=True,
        env={},
        timeout=30,
        check=False,
    )
    assert done.stdout == b""
    return HookRun(done.returncode, done.stderr.decode(), time.monotonic() - started_s)


def assert_survived(run: HookRun) -> None:
    """The container starts, and somebody can find out what happened."""
    assert run.exit_code == 0
    assert ONE_CLEAN_LINE.fullmatch(run.stderr)


def records_in(spool: Path) -> list[Document]:
    """The records in the spool, oldest first; a hidden file is none."""
    return [json.loads(path.read_bytes()) for path in sorted(spool.glob("[!.]*"))]


def witness(state: bytes, spool: Path, *options: object) -> Document:
    """The one record that a hook without errors leaves."""
    run = run_hook(state, "--spool", spool, *options)
    assert (run.exit_code, run.stderr) == (0, "")
    (record,) = records_in(spool)
    return record


def links_of(pid: int, *types: str) -> dict[str, tuple[int, int]]:
    """Device and inode of a process's namespaces, as stat(2) has them."""
    found = ((type_, os.stat(f"/proc/{pid}/ns/{type_}")) for type_ in types or hook.TYPES)
    return {type_: (status.st_dev, status.st_ino) for type_, status in found}


def links_in(namespaces: Document) -> dict[str, tuple[int, int]]:
    """The same, as a record has them."""
    return {type_: (seen["dev"], seen["ino"]) for type_, seen in namespaces.items()}


@contextlib.contextmanager
def process(*command: str) -> Iterator[int]:
    """A running process; its pid."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        try:
            yield child.pid
        finally:
            child.kill()


def wait_until(holds: Callable[[], bool], deadline_s: float = 10) -> None:
    """Return when `holds()` does; fail if that takes too long."""
    until_s = time.monotonic() + deadline_s
    while not holds():
        assert time.monotonic() < until_s, "waited in vain"
        time.sleep(0.01)


def child_of(pid: int) -> int:
    """The child of a process that runs `sleep`, once it does."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    wait_until(lambda: children.read_text() != "")
    child = int(children.read_text().split()[0])
    wait_until(lambda: Path(f"/proc/{child}/comm").read_text() == "sleep\n")
    return child
