"""Where a reader keeps indexes of its own, and how it shows that one takes a while."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import click

from nsledger.index.builder import Progress
from nsledger.ledger import place

_LONG_BYTES = 32 << 20
"""Less is read before a bar could be."""


@contextmanager
def progress(ledger: str, label: str) -> Generator[Progress | None]:
    """A bar on standard error, drawn when there is something to tell; None where nobody sees it."""
    size_bytes = place.find(ledger).size_bytes
    if size_bytes < _LONG_BYTES or not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as drawn:
        bars: list[Progress] = []

        def tell(read_bytes: int) -> None:
            if not bars:
                bar = click.progressbar(
                    length=size_bytes, label=label, file=sys.stderr, show_pos=False, width=0
                )
                bars.append(drawn.enter_context(bar).update)
            bars[0](read_bytes)

        yield tell


def cache_directory() -> str | None:
    """Where indexes that took long are kept (XDG Base Directory); None without a home."""
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    if not os.path.isabs(cache):
        home = os.path.expanduser("~")
        if not os.path.isabs(home):
            return None
        cache = os.path.join(home, ".cache")
    return os.path.join(cache, "nsledger")
