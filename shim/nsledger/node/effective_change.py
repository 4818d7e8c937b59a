"""Whether containerd's effective configuration changed in our keys, and in nothing else: pure."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Final, cast

from nsledger.errors import NsledgerError
from nsledger.node.containerd import ANNOTATIONS

Places = Mapping[str, tuple[str, ...]]

_KEYS: Final = ("base_runtime_spec", "pod_annotations", "container_annotations")
_BELOW: Final = "/containerd/"
_IMPORTS: Final = "/imports"
"""2.x prints the main file's list, 1.x the files that it read: ours is to be in it."""


class EffectiveConfigurationError(NsledgerError):
    """containerd understands the changed files otherwise than they were meant."""

    hint = "Nothing was restarted, and the files are as they were."

    def __init__(self, *, problems: tuple[str, ...]) -> None:
        super().__init__(f"containerd's effective configuration: {'; '.join(problems)}")
        self.problems = problems


def require_our_keys_only(
    before: str, after: str, specs: Mapping[str, str], places: Places
) -> None:
    """Nothing, if `after` differs from `before` by our keys; both are `containerd config dump`.

    `specs` are the base specs that the handlers must have now, `places` where a handler's table is
    below `containerd`.

    Raises:
        EffectiveConfigurationError: it does not. Values are not quoted: they may be credentials.
    """
    problems = tuple(_problems(_flat(before), _flat(after), specs, places))
    if problems:
        raise EffectiveConfigurationError(problems=problems)


def require_our_keys_taken(before: str, after: str, ours: Mapping[str, str]) -> None:
    """Nothing, if `after` differs from `before` in handlers that had a base spec of ours alone.

    Raises:
        EffectiveConfigurationError: something else is different.
    """
    old, new = _flat(before), _flat(after)
    had = tuple(
        path.removesuffix(_KEYS[0])
        for path, value in old.items()
        if path.endswith(f"/{_KEYS[0]}") and isinstance(value, str) and value in ours
    )
    problems = tuple(
        f"{path} changed"
        for path in sorted(old.keys() | new.keys())
        if path != _IMPORTS and not path.startswith(had) and old.get(path) != new.get(path)
    )
    if problems:
        raise EffectiveConfigurationError(problems=problems)


def _flat(dump: str) -> dict[str, object]:
    return dict(flat(tomllib.loads(dump)))


def flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Each value of a decoded TOML text, by the path of its keys."""
    if isinstance(value, dict) and value:
        for key, below in value.items():  # pyright: ignore[reportUnknownVariableType] - as decoded
            yield from flat(below, f"{path}/{key}")  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield path, value


def _problems(
    before: Mapping[str, object],
    after: Mapping[str, object],
    specs: Mapping[str, str],
    places: Places,
) -> Iterator[str]:
    handlers = {"/".join(places.get(name, ("runtimes", name))): name for name in specs}
    given: set[str] = set()
    for path in sorted(before.keys() | after.keys()):
        table, _, key = path.partition(_BELOW)[2].rpartition("/")
        name = handlers.get(table) if key in _KEYS else None
        if path == _IMPORTS:
            continue
        if name is None:
            if before.get(path) != after.get(path):
                yield f"{path} changed"
            continue
        value = after.get(path)
        if key == "base_runtime_spec":
            if value == specs[name]:
                given.add(name)
        elif not _allows_ours_too(before.get(path), value):
            yield f"{path} lost a pattern"
    for handler in sorted(specs.keys() - given):
        yield f"handler {handler} has another base_runtime_spec than ours"


def _allows_ours_too(before: object, after: object) -> bool:
    old = set(cast("list[str]", before)) if isinstance(before, list) else set[str]()
    new = set(cast("list[str]", after)) if isinstance(after, list) else set[str]()
    return old | {ANNOTATIONS} <= new
