"""The machine's end of the wire: runs the commands that come over a virtio-serial port, as root.

One JSON object on a line each way: `{"id": 7, "argv": [...], "input": "", "limit_s": 60}`, answered
by `{"id": 7, "code": 0, "stdout": "...", "stderr": "..."}`. A command that reaches its limit is
killed with what it started, and its code is null. Standard library only; the other end is
`machine.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from typing import Any

_PORT = "/dev/virtio-ports/nsledger.agent"


def main() -> None:
    """Serve until the machine ends."""
    port = os.open(_PORT, os.O_RDWR)
    writing = threading.Lock()
    kept = b""
    while True:
        read = os.read(port, 65536)
        if not read:
            time.sleep(0.1)  # nobody is at the other end
            continue
        *lines, kept = (kept + read).split(b"\n")
        for line in lines:
            threading.Thread(target=_answer, args=(port, writing, json.loads(line))).start()


def _answer(port: int, writing: threading.Lock, asked: dict[str, Any]) -> None:
    try:
        code, stdout, stderr = _run(asked["argv"], asked["input"], asked["limit_s"])
    except OSError as error:
        code, stdout, stderr = 127, "", str(error)
    answer = {"id": asked["id"], "code": code, "stdout": stdout, "stderr": stderr}
    line = json.dumps(answer).encode() + b"\n"
    with writing:
        while line:
            line = line[os.write(port, line) :]


def _run(argv: list[str], given: str, limit_s: float) -> tuple[int | None, str, str]:
    with subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(given, timeout=limit_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            return None, stdout, stderr
    return process.returncode, stdout, stderr


if __name__ == "__main__":
    main()
