"""The index that a command reads with: the daemon's, or the reader's own, and how that shows."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Final, Self

import click

from nsledger.index.builder import Progress
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


# The index for a command that goes on and on: never far behind the ledger, never in its way.
#
# A reader sees the index as it was when it was opened, and what came since it reads from the
# ledger,
# each time. So it is opened anew once the ledger has gone on; and let go while nobody asks, since
# an
# open reader keeps the daemon's log of the index from being used again.

_KEPT_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.1
"""At a ledger that had not gone on: a look lists its directory."""
_TIMES_ITS_MAKING: Final = 20
"""One that had to be built is kept for longer: of its own time no more than a twentieth."""
_QUICK_S: Final = 0.05
"""Opening one that is there takes less."""


class FreshIndex:
    """The index of one ledger. Belongs to one thread."""

    def __init__(self, ledger: str) -> None:
        """Nothing is opened yet."""
        self._ledger = ledger
        self._held = ExitStack()
        self._index: Index | None = None
        self._of_bytes = 0
        self._took_s = 0.0
        self._renew_at_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def get(self) -> Index:
        """The index, as it is now or was a moment ago.

        Raises:
            LedgerError: there is no ledger, or a line in it is no entry.
            OSError: it cannot be read.
        """
        began_s = time.monotonic()
        if self._index is not None and began_s >= self._renew_at_s:
            self._renew_at_s = began_s + _LOOK_AGAIN_S
            if place.find(self._ledger).size_bytes != self._of_bytes:
                self._close()
        if self._index is None:
            self._of_bytes = place.find(self._ledger).size_bytes
            self._index = self._held.enter_context(index_of(self._ledger))
            self._took_s = time.monotonic() - began_s
            self._renew_at_s = began_s + max(_KEPT_S, _TIMES_ITS_MAKING * self._took_s)
        return self._index

    def rest(self) -> None:
        """Nobody asks for a while. One that only this process has is kept."""
        if self._took_s < _QUICK_S:
            self._close()

    def _close(self) -> None:
        self._index = None
        self._held.close()
