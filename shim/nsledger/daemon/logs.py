"""Where the daemon's log goes and what it looks like. A log line is not an audit record."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final, Literal

import structlog

_LEVELS: Final = logging.getLevelNamesMapping()


def configure(level: str, form: Literal["auto", "json", "console"]) -> None:
    """Log to standard error, from `level` on; `auto` is console on a terminal, else JSON lines."""
    on_terminal = sys.stderr.isatty()
    renderer: structlog.typing.Processor
    if form == "console" or (form == "auto" and on_terminal):
        colors = on_terminal and not os.environ.get("NO_COLOR")
        renderer = structlog.dev.ConsoleRenderer(colors=colors)
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
