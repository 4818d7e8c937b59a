"""Our values out of a file of containerd's that another program wrote since: by their TOML paths.

    without_ours(path, before=..., after=..., now=..., ours={"/etc/nsledger/....json": ""})

Lines are of no use where a tool sorted and indented the file anew, or copied a handler with our
base spec in it (nvidia-ctk does). So our keys are found by what they hold, wherever they stand: a
base spec of ours becomes the admin's again that it was made from, or goes; our pattern leaves its
list; a handler's section that we wrote, and nobody changed, goes as a whole. The result is parsed
again and has to be what was meant, or nothing is written. Pure.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError

from nsledger.errors import NsledgerError
from nsledger.node.containerd import ANNOTATIONS, Table
from nsledger.node.containerd_edit import as_before, parsed
from nsledger.node.containerd_files import BYTE_ORDER_MARK
from nsledger.node.reverse import EditedSinceError, restored

_SPEC: Final = "base_runtime_spec"
_LISTS: Final = ("pod_annotations", "container_annotations")
_IMPORTS: Final = "imports"

Path = tuple[str, ...]


class KeptValueError(NsledgerError):
    """A value of ours that cannot be taken out of a file without changing something else."""

    def __init__(self, *, path: str, keys: Path) -> None:
        super().__init__(
            f"{path}: found nsledger's value at {'.'.join(keys) or 'a place'} and no way to take "
            "it out alone; nothing was deleted"
        )
        self.hint = "Take the key out by hand, then run `nsledger uninstall` again."
        self.path, self.keys = path, keys


@dataclass(frozen=True, slots=True)
class _Edit:
    """One key that gets another value, or goes."""

    keys: Path
    value: object
    """None: the key goes."""


def without_ours(
    path: str, *, before: bytes | None, after: bytes, now: bytes, ours: Mapping[str, str]
) -> bytes | None:
    """The file at `path` as it is now, without anything of ours; None: it is to go.

    Args:
        path: for the message.
        before: what was there before the first installation; None if nothing was.
        after: what the last one wrote; for a file that we never wrote, `now`.
        now: what is there.
        ours: our base specs, and the admin's that each was made from, or "".

    Raises:
        KeptValueError: it cannot be done with our values alone changing.
        EditedSinceError: it is no TOML any more, and our lines are not as they were.
    """
    if now == after and before != after:
        return before
    try:
        wanted = _expected(path, before, after, now, ours)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return restored(path, before=before or b"", after=after, now=now)
    try:
        by_lines = restored(path, before=before or b"", after=after, now=now)
        if _pruned(_table(by_lines)) == _pruned(wanted):
            return _or_nothing(before, wanted, by_lines)
    except (EditedSinceError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        pass
    text = now.decode()
    document: Any = parsed(text)
    edits = list(_edits(_table(now), _table(before or b""), _table(after), ours))
    try:
        for edit in edits:
            _carry_out(document, edit)
        edited = as_before(text, tomlkit.dumps(document)).encode()
        if _pruned(_table(edited)) == _pruned(wanted):
            return _or_nothing(before, wanted, edited)
    except (TOMLKitError, KeyError, TypeError, tomllib.TOMLDecodeError):
        pass
    raise KeptValueError(path=path, keys=edits[0].keys if edits else ())


def names_ours(data: bytes, ours: Mapping[str, str]) -> Path | None:
    """The path of the first key in a TOML text that names a base spec of ours; None: none does."""
    return next((keys for keys, value in _leaves(_table(data)) if _is_ours(value, ours)), None)


def _expected(
    path: str, before: bytes | None, after: bytes, now: bytes, ours: Mapping[str, str]
) -> Table:
    table = _table(now)
    wanted = copy.deepcopy(table)
    for edit in _edits(table, _table(before or b""), _table(after), ours):
        _carry_out(wanted, edit)
    left = next((keys for keys, value in _leaves(wanted) if _is_ours(value, ours)), None)
    if left is not None:
        raise KeptValueError(path=path, keys=left)
    return wanted


def _edits(now: Table, before: Table, after: Table, ours: Mapping[str, str]) -> Iterator[_Edit]:
    """What has to change in `now`; a whole section before its keys."""
    gone: list[Path] = []
    for keys in _added_sections(before, after):
        if _at(now, keys) is not None and _at(now, keys) == _at(after, keys):
            gone.append(keys)
            yield _Edit(keys, None)
    for keys, value in _leaves(now):
        if any(keys[: len(one)] == one for one in gone):
            continue
        was = _at(before, keys)
        if keys[-1] == _SPEC and isinstance(value, str) and value in ours:
            is_admins = isinstance(was, str) and was not in ours
            yield _Edit(keys, was if is_admins else ours[value] or None)
        elif keys[-1] in _LISTS and ANNOTATIONS in _elements(value):
            if ANNOTATIONS not in _elements(was):
                left = _without(_elements(value), {ANNOTATIONS}, keep_empty=was is not None)
                yield _Edit(keys, left)
        elif keys == (_IMPORTS,) and _is_list(value):
            added = _strings(_at(after, keys)) - _strings(was)
            if added & _strings(_elements(value)):
                yield _Edit(keys, _without(_elements(value), added, keep_empty=was is not None))


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def _elements(value: object) -> list[object]:
    """Of a list; of anything else none."""
    return cast("list[object]", value) if isinstance(value, list) else []


def _added_sections(before: Table, after: Table) -> Iterator[Path]:
    """The handlers' sections, `plugins.PLUGIN.containerd...`, that `after` has and `before` not."""
    for plugin, section in _tables(after.get("plugins")):
        for key, below in _tables(section.get("containerd")):
            place: Path = ("plugins", plugin, "containerd", key)
            places = [(*place, name) for name, _ in _tables(below)] if key == "runtimes" else []
            yield from (one for one in (*places, place) if _at(before, one) is None)


def _tables(value: object) -> Iterator[tuple[str, Table]]:
    if isinstance(value, dict):
        for key, below in cast("Table", value).items():
            if isinstance(below, dict):
                yield key, cast("Table", below)


def _without(value: object, taken: set[str], *, keep_empty: bool) -> object:
    left = [one for one in cast("list[object]", value) if one not in taken]
    return left if left or keep_empty else None


def _is_ours(value: object, ours: Mapping[str, str]) -> bool:
    return isinstance(value, str) and value in ours


def _strings(value: object) -> set[str]:
    found = cast("list[object]", value) if isinstance(value, list) else []
    return {one for one in found if isinstance(one, str)}


def _leaves(table: Table, above: Path = ()) -> Iterator[tuple[Path, object]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _leaves(cast("Table", value), (*above, key))
        else:
            yield (*above, key), value


def _at(table: Table, keys: Path) -> object:
    at: Any = table
    for key in keys:
        at = at.get(key) if _is_table(at) else None
    return at


def _carry_out(document: Any, edit: _Edit) -> None:  # noqa: ANN401 - a dict, or tomlkit's tables
    at = document
    for key in edit.keys[:-1]:
        at = at[key]
    last = edit.keys[-1]
    if edit.value is None:
        del at[last]
        return
    if _is_list(edit.value) and _is_list(at[last]):
        wanted, elements = _elements(edit.value), _elements(at[last])
        for index in range(len(elements) - 1, -1, -1):
            if elements[index] not in wanted:
                del elements[index]
        return
    at[last] = edit.value


def _or_nothing(before: bytes | None, wanted: Table, data: bytes) -> bytes | None:
    """`data`, or None for a file of ours in which nothing is left."""
    return None if before is None and not any(_significant(wanted)) else data


def _significant(table: Table) -> Iterator[str]:
    for key, value in table.items():
        if key != "version" and not (_is_table(value) and not any(_leaves(value))):
            yield key


def _pruned(table: Table) -> Table:
    """`table` without tables that hold nothing: a header that only led to ours says nothing."""
    kept: Table = {}
    for key, value in table.items():
        below: object = _pruned(cast("Table", value)) if isinstance(value, dict) else value
        if below != {}:
            kept[key] = below
    return kept


def _table(data: bytes) -> Table:
    return tomllib.loads(data.decode().removeprefix(BYTE_ORDER_MARK))
