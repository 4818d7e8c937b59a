from __future__ import annotations

import json
import subprocess
import sys

from tests.programs import SHIM

PROGRAM = """
import json, sys
from nsledger.daemon.lean_structlog import import_structlog
import_structlog()
from nsledger.daemon import logs
logs.configure("info", "console")
logs.structlog.get_logger().info("thing.happened")
lean = not any(name.partition(".")[0] == "rich" for name in sys.modules)
import rich.console
print(json.dumps({"lean": lean, "rich": rich.console.__name__}))
"""


def test_the_log_works_without_rich_and_others_still_get_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=True,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(SHIM)},
    )

    assert json.loads(done.stdout) == {"lean": True, "rich": "rich.console"}
    assert "thing.happened" in done.stderr
