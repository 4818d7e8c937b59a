"""The index that a command reads with: the daemon's, or the reader's own, and how that shows."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import click

from nsledger.index.build import Progress
from nsledger.index.opening import Index, opened
from nsledger.ledger import place

_LONG_BYTES = 32 << 20
"""Less is read before a bar could be."""


@contextmanager
def index_of(ledger: str) -> Generator[Index]:
    """The index of the ledger at `ledger`; a long wait for one shows on a terminal.

    Raises:
        LedgerError: there is no ledger, or a line in it is no entry.
        OSError: it cannot be read.
    """
    with (
        progress(ledger, "indexing") as told,
        opened(ledger, cache=cache_directory(), progress=told) as index,
    ):
        yield index


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
