"""Names in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from nsledger.domain.matrix import Process


def label(process: Process) -> str:
    """`app`, `app #2` of a restarted one, `the sandbox`."""
    if process.kind == "sandbox":
        return "the sandbox"
    name = process.name or process.id[:13] or "?"
    return f"{name} #{process.attempt}" if process.attempt else name


def listed(names: Sequence[str]) -> str:
    """`app`, `app and sidecar`, `app, sidecar and shell`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last
