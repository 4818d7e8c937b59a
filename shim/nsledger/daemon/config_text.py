"""The configuration described from its struct: as a commented nsledger.toml, and as a page of docs.

So neither can lack a key, or say another default than the one in force.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from nsledger.daemon.config import DEFAULT_FILE, Configuration

_WIDTH: Final = 96

_KINDS: Final = {bool: "true or false", str: "text", int: "whole number", float: "number"}

_INTRODUCTION: Final = f"""\
# Configuration of `nsledger serve`

<!-- Made by `python -m tools.configuration_page --write` from the code; a test keeps it so. -->

Every key stands in `{DEFAULT_FILE}` (or the file that `--config` names), is a flag
(`--hold-limit-s 0.2`) and a variable of the environment (`NSLEDGER_HOLD_LIMIT_S=0.2`). The flag
wins, then the environment, then the file, then the default. A key that does not exist or a value
that is out of its range is refused, with its name and its line. `nsledger serve --check-config`
prints what would be in force; `nsledger serve --print-default-config` prints the file below.
"""

_TOP: Final = f"""\
# nsledger serve. Every key is here at its default; put it into {DEFAULT_FILE}
# without the # to change it.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key, as a reader sees it."""

    name: str
    default: str
    """As TOML writes it."""
    takes: str
    """What values there are, in words."""
    description: str


def keys() -> Iterator[Key]:
    """Every key, in the order of the struct."""
    for field in msgspec.structs.fields(Configuration):
        kind: Any = field.type.__origin__
        metas = [meta for meta in field.type.__metadata__ if isinstance(meta, msgspec.Meta)]
        yield Key(
            name=field.name,
            # JSON's strings, numbers and booleans are TOML's too.
            default=msgspec.json.encode(field.default).decode(),
            takes=_takes(kind, metas),
            description="".join(meta.description or "" for meta in metas),
        )


def toml() -> str:
    """A nsledger.toml with every key commented out at its default."""
    parts = [_TOP]
    for key in keys():
        comment = textwrap.wrap(f"{key.description} ({key.takes})", _WIDTH, break_on_hyphens=False)
        lines = [f"# {line}" for line in comment]
        parts.append("\n".join([*lines, f"#{key.name} = {key.default}"]) + "\n")
    return "\n".join(parts)


def page() -> str:
    """docs/configuration.md."""
    lines = [_INTRODUCTION, "| key | default | takes | what it does |", "|---|---|---|---|"]
    for key in keys():
        cells = (f"`{key.name}`", f"`{key.default}`", key.takes, key.description)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, "", "```toml", toml().rstrip("\n"), "```", ""])


def _takes(kind: Any, metas: list[msgspec.Meta]) -> str:  # noqa: ANN401 - a type, or a form of typing's
    if get_origin(kind) is Literal:
        *others, last = [f'"{value}"' for value in get_args(kind)]
        return f"{', '.join(others)} or {last}"
    limits = [limit for meta in metas for limit in _limits(meta)]
    return ", ".join([_KINDS[kind], *limits])


def _limits(meta: msgspec.Meta) -> Iterator[str]:
    if meta.gt is not None:
        yield f"more than {meta.gt}"
    if meta.ge is not None:
        yield f"at least {meta.ge}"
    if meta.le is not None:
        yield f"at most {meta.le}"
    if meta.min_length == 1:
        yield "not empty"
