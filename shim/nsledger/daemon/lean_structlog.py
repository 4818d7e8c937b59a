"""Imports structlog without rich, which it takes for its tracebacks wherever there is one.

rich is here for the commands that people read. The daemon logs no traceback (one may quote what a
runtime said), and rich would cost it 5 MiB and 40 ms of its start.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import cast


def import_structlog() -> None:
    """Have structlog in `sys.modules`; as it is if somebody imported it, or rich, before."""
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    sys.modules["rich"] = cast("ModuleType", None)  # Python's way to say that there is none
    try:
        importlib.import_module("structlog")
    finally:
        del sys.modules["rich"]
