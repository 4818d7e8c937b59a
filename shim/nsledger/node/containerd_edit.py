"""Edits of containerd's own files, text in, text out: comments, order and line ends stay.

Where an import replaces a plugin's whole section (containerd 1.x) a complete copy of the section
would freeze what the admin can change today: so the keys are put where the section is. Where
imports are merged (2.x) the main file needs one line at most.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any, Final, cast

import tomlkit
from tomlkit.items import AbstractTable, Array, Item

from nsledger.node.containerd import Table
from nsledger.node.containerd_files import BYTE_ORDER_MARK

Place = tuple[str, ...]
"""As `RuntimeHandler.place`."""

_CRLF: Final = "\r\n"


def with_import(text: str, path: str) -> str:
    """`text` of a main file, which imports `path` behind whatever it imports now."""
    document: Any = parsed(text)
    # What the file itself says; the effective list would repeat what its imports import.
    imports: Any = document.get("imports")
    if imports is None:
        document["imports"] = [path]
    elif path not in imports:
        imports.append(path)
    return as_before(text, tomlkit.dumps(document))


def with_handlers(text: str, plugin: str, tables: Mapping[Place, Table]) -> str:
    """`text` of a file, with the keys of each handler set in the section of `plugin`.

    A handler that the file does not name yet is put behind everything else.
    """
    document = parsed(text)
    named = _below(document, "plugins", plugin, "containerd")
    added: dict[Place, Table] = {}
    for place, keys in tables.items():
        table = _below(named, *place)
        if not table:
            added[place] = keys
            continue
        for key, value in keys.items():
            if table.get(key) != value:
                _set(cast("MutableMapping[str, Any]", table), key, value)
    edited = tomlkit.dumps(document)
    for place, keys in added.items():
        edited = edited.rstrip("\n") + "\n\n" if edited.strip() else edited
        edited += handler_section(plugin, place, keys)
    return as_before(text, edited)


def handler_section(plugin: str, place: Place, keys: Table) -> str:
    """The section of one handler, to stand at the end of a file."""
    header = f"plugins.{_quoted(plugin)}.containerd.{'.'.join(_bare(key) for key in place)}"
    plain = {key: value for key, value in keys.items() if not isinstance(value, dict)}
    below: Table = {key: value for key, value in keys.items() if isinstance(value, dict)}
    text = f"[{header}]\n{tomlkit.dumps(plain)}"
    for key, table in below.items():
        text += f"\n[{header}.{_bare(key)}]\n{tomlkit.dumps(cast('Table', table))}"
    return text


def parsed(text: str) -> tomlkit.TOMLDocument:
    """`text` as a document that can be edited."""
    return tomlkit.parse(text.removeprefix(BYTE_ORDER_MARK))


def significant(table: Table) -> Table:
    """`table` without the zero values that containerd prints for what nobody set."""
    kept: Table = {}
    for key, value in table.items():
        below: object = significant(cast("Table", value)) if isinstance(value, dict) else value
        if below:
            kept[key] = below
    return kept


def _below(document: Any, *keys: str) -> Mapping[str, Any]:  # noqa: ANN401 - tomlkit's tables
    at: Any = document
    for key in keys:
        at = at.get(key)
        if at is None:
            return {}
    return cast("Mapping[str, Any]", at)


def _set(table: MutableMapping[str, Any], key: str, value: object) -> None:
    """Set one key: a list grows where it is, a new key is indented as the table's first."""
    known = table.get(key)
    if isinstance(known, Array) and isinstance(value, list):
        wanted = cast("list[str]", value)
        present = known.unwrap()
        if wanted[: len(present)] == present:
            cast("list[str]", known).extend(wanted[len(present) :])
            return
    # A boolean comes without its place in the text.
    others = [other for other in table.values() if isinstance(other, Item)]
    indents = [other.trivia.indent for other in others if not isinstance(other, AbstractTable)]
    table[key] = value
    if indents:
        item: Any = table[key]
        item.trivia.indent = indents[0]


def as_before(original: str, edited: str) -> str:
    """`edited` with CRLF at every line's end if `original` has that everywhere, and its mark."""
    unix = edited.replace(_CRLF, "\n")
    lines = original.count("\n")
    is_crlf = lines and original.count(_CRLF) == lines
    mark = BYTE_ORDER_MARK if original.startswith(BYTE_ORDER_MARK) else ""
    return mark + (unix.replace("\n", _CRLF) if is_crlf else edited)


def _bare(key: str) -> str:
    plain = key.replace("-", "").replace("_", "")
    return key if plain.isascii() and plain.isalnum() else _quoted(key)


def _quoted(key: str) -> str:
    # A basic string of TOML: JSON's escapes are TOML's.
    return tomlkit.string(key).as_string()
