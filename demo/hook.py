"""The OCI hook on a private node: a copy of its own, as an installation makes one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from demo.node import PrivateNode
from nsledger.node.base_runtime_spec import OciHook

_SOURCE: Final = Path(__file__).parents[1] / "hooks/nsledger_hook"
_INTERPRETER: Final = "/usr/bin/python3"
"""The system's, at a fixed place: the virtual environment is nothing to depend on."""
_ISOLATED: Final = ("-I", "-S")
_TIMEOUT_S: Final = 5
"""The runtime's limit; the hook's own deadline is far below."""


def install_hook(node: PrivateNode, *, spool: Path) -> OciHook:
    """Copy the hook into `node`'s directory, compile it there, and return its entry in a spec."""
    installed = node.directory / "hook"
    shutil.copytree(_SOURCE, installed, ignore=shutil.ignore_patterns("__pycache__"))
    spool.mkdir(mode=0o700)
    node.run(_INTERPRETER, *_ISOLATED, "-m", "compileall", "-q", str(installed))
    return OciHook(
        path=_INTERPRETER,
        args=(
            *("python3", *_ISOLATED, str(installed / "launch.py")),
            *("--stage", "createRuntime", "--spool", str(spool)),
        ),
        timeout=_TIMEOUT_S,
    )
