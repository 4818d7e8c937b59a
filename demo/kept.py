"""The owner's end of `keeper.py`: a directory and processes that cannot outlive their owner."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Final

from demo.installation import program_path
from nsledger.errors import NsledgerError

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_END_LIMIT_S: Final = 90.0
"""More than the keeper's own limits together."""


class KeeperEndedError(NsledgerError):
    """The keeper ended before its owner released it: it said why on standard error."""

    def __init__(self, *, wanted: str) -> None:
        super().__init__(f"the node's keeper ended and took it down; needed it to {wanted}")
        self.wanted = wanted


class Kept:
    """What is kept: `directory`, the bridge and cgroups of its name, and what was started."""

    def __init__(self, directory: Path) -> None:
        self._keeper = subprocess.Popen(
            [sys.executable, "-I", _KEEPER, directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": program_path()},
            text=True,
            start_new_session=True,  # a terminal's Ctrl-C is for the owner
        )
        self._answer("be ready")

    def start(self, argv: list[str], *, log: Path) -> int:
        """Start `argv`, which dies with the keeper, and return its pid.

        Raises:
            KeeperEndedError: it is not there any more; everything was taken down.
        """
        command = ["setpriv", "--pdeathsig", "KILL", *argv]
        to_keeper = _given(self._keeper.stdin)
        with contextlib.suppress(BrokenPipeError):
            to_keeper.write(json.dumps({"argv": command, "log": str(log)}) + "\n")
            to_keeper.flush()
        return int(self._answer(f"start {argv[0]}"))

    def release(self) -> None:
        """Have it all taken down, and wait until nothing is left."""
        self._keeper.communicate(timeout=_END_LIMIT_S)

    def _answer(self, wanted: str) -> str:
        answer = _given(self._keeper.stdout).readline()
        if not answer:
            raise KeeperEndedError(wanted=wanted)
        return answer


def _given(pipe: IO[str] | None) -> IO[str]:
    """The pipe that Popen was told to make; its type admits None."""
    if pipe is None:
        raise AssertionError
    return pipe


def is_alive(pid: int) -> bool:
    """Whether there is a process `pid`. The keeper reaps what ended, so there are no zombies."""
    return Path(f"/proc/{pid}").exists()
