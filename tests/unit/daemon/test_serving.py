from __future__ import annotations

import subprocess
import sys

from tests.programs import SHIM

LATER = {"structlog", "google.protobuf", "grpc", "rich", "nsledger.recorder.recorder"}


def test_the_relay_serves_before_anything_is_imported_that_it_does_not_need() -> None:
    code = "import sys, nsledger.cli.commands.serve, nsledger.daemon.serving; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SHIM)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert not LATER & set(done.stdout.split())
