"""The index for a command that goes on and on: never far behind the ledger, never in its way.

A reader sees the index as it was when it was opened, and what came since it reads from the ledger,
each time. So it is opened anew once the ledger has gone on; and let go while nobody asks, since an
open reader keeps the daemon's log of the index from being used again.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

from nsledger.cli.indexed import index_of
from nsledger.index.opening import Index
from nsledger.ledger import place

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
