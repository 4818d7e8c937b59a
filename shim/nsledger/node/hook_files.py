"""The hook's own copy of its code, at a path that no package owns, and how a runtime names it.

A configuration that names a missing hook lets no container start. So the copy is no package's: an
upgrade or a virtual environment that was deleted leaves it as it is, until the configuration that
names it is gone.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Final

import msgspec

from nsledger.errors import NsledgerError
from nsledger.node.base_runtime_spec import OciHook

HOOK_DIRECTORY: Final = "/var/lib/nsledger/hook"
SPOOL: Final = "/run/nsledger/spool"
INTERPRETER: Final = "/usr/bin/python3"
"""The system's, at a fixed place: a hook may have no PATH."""
ISOLATED: Final = ("-I", "-S")

TOMBSTONE: Final = b"raise SystemExit(0)\n"
"""What stands in the hook's place for containers that were created with it, and start after it."""

_FILES: Final = ("hook.py", "launch.py")
_LAUNCHER: Final = "launch.py"
_TIMEOUT_S: Final = 5
"""The runtime's limit; the hook's own deadline is far below."""
_OF_CRIO: Final = {r"^io\.container\.manager$": "^cri-o$"}
"""CRI-O's own annotation on what it starts. podman reads the same directories, and its containers
have `libpod` there: they are not started past the shim, and no hook runs for them."""


class HookMissingError(NsledgerError):
    """This nsledger came without its hook."""

    hint = "Install nsledger again: its wheel and its Debian package both carry the hook."

    def __init__(self) -> None:
        super().__init__("found no package nsledger_hook, needed the hook's code")


def code() -> dict[str, bytes]:
    """The hook's files, by the path that each is installed at.

    Raises:
        HookMissingError: they did not come with this nsledger.
    """
    # Found, not imported: nothing of nsledger depends on the hook's code, nor it on ours.
    spec = importlib.util.find_spec("nsledger_hook")
    if spec is None or not spec.submodule_search_locations:
        raise HookMissingError
    source = Path(next(iter(spec.submodule_search_locations)))
    return {f"{HOOK_DIRECTORY}/{name}": (source / name).read_bytes() for name in _FILES}


def entry() -> OciHook:
    """The hook as a base runtime spec names it."""
    return OciHook(
        path=INTERPRETER,
        args=(
            *("python3", *ISOLATED, f"{HOOK_DIRECTORY}/{_LAUNCHER}"),
            *("--stage", "createRuntime", "--spool", SPOOL),
        ),
        timeout=_TIMEOUT_S,
    )


def compile_command() -> tuple[str, ...]:
    """What leaves compiled code beside the copy, made by the interpreter that will run it."""
    return (INTERPRETER, *ISOLATED, "-m", "compileall", "-q", HOOK_DIRECTORY)


def crio_hook() -> bytes:
    """The JSON text of CRI-O's `hooks.d` entry, for containers of CRI-O alone.

    Source: containers/common `pkg/hooks/docs/oci-hooks.5.md`, version 1.0.0.
    """
    declared = {
        "version": "1.0.0",
        "hook": msgspec.to_builtins(entry()),
        "when": {"annotations": _OF_CRIO},
        "stages": ["createRuntime"],
    }
    return json.dumps(declared, indent=2).encode() + b"\n"
