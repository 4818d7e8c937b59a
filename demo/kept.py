"""The owner's end of `keeper.py`: a directory and processes that cannot outlive their owner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from demo.installation import program_path

_KEEPER: Final = Path(__file__).with_name("keeper.py")
_END_LIMIT_S: Final = 90.0
"""More than the keeper's own limits together."""


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

    def start(self, argv: list[str], *, log: Path) -> int:
        """Start `argv`, which dies with the keeper, and return its pid."""
        command = ["setpriv", "--pdeathsig", "KILL", *argv]
        to_keeper, from_keeper = self._keeper.stdin, self._keeper.stdout
        assert to_keeper is not None and from_keeper is not None  # noqa: PT018, S101 - Popen was told PIPE
        to_keeper.write(json.dumps({"argv": command, "log": str(log)}) + "\n")
        to_keeper.flush()
        return int(from_keeper.readline())

    def release(self) -> None:
        """Have it all taken down, and wait until nothing is left."""
        self._keeper.communicate(timeout=_END_LIMIT_S)


def is_alive(pid: int) -> bool:
    """Whether there is a process `pid`. The keeper reaps what ended, so there are no zombies."""
    return Path(f"/proc/{pid}").exists()
