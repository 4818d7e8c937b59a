"""An answer on standard output in the form that was asked for: drawn for people, or structured."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Literal, assert_never

from nsledger.cli.terminal import write_lines
from nsledger.report.structured import to_json, to_yaml


def write_answer(
    answer: object,
    output: Literal["text", "table", "wide", "json", "yaml"],
    draw: Callable[[], Iterable[str]],
) -> None:
    """Write `answer`; `draw` makes the lines that people are shown, and is called for them only."""
    match output:
        case "text" | "table" | "wide":
            write_lines(draw())
        case "json":
            sys.stdout.write(to_json(answer))
        case "yaml":
            sys.stdout.write(to_yaml(answer))
        case _:
            assert_never(output)
