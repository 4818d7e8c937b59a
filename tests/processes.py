"""Real processes in namespaces of their own, made by util-linux as a runtime makes them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

_LIMIT_S = 10.0


@contextlib.contextmanager
def sleeping(under: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """`sleep` under a command line such as `unshare --net`, once it is there."""
    with subprocess.Popen([*under.split(), "sleep", "600"]) as process:
        try:
            deadline_s = time.monotonic() + _LIMIT_S
            while Path(f"/proc/{process.pid}/comm").read_text() != "sleep\n":
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise AssertionError(f"{under} did not come to sleep")
                time.sleep(0.005)
            yield process
        finally:
            process.kill()
