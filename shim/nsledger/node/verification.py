"""Whether containerd's effective configuration changed in our keys, and in nothing else: pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Final, cast

from nsledger.errors import NsledgerError
from nsledger.node.containerd import ANNOTATIONS

_OUR_KEY: Final = re.compile(
    r"/containerd/runtimes/(?P<handler>[^/]+)/"
    r"(?P<key>base_runtime_spec|pod_annotations|container_annotations)$"
)
_IMPORTS: Final = "/imports"
"""2.x prints the main file's list, 1.x the files that it read: ours is to be in it."""


class EffectiveConfigurationError(NsledgerError):
    """containerd understands the changed files otherwise than they were meant."""

    hint = "Nothing was restarted, and the files are as they were."

    def __init__(self, *, problems: tuple[str, ...]) -> None:
        super().__init__(f"containerd's effective configuration: {'; '.join(problems)}")
        self.problems = problems


def require_our_keys_only(before: str, after: str, specs: Mapping[str, str]) -> None:
    """Nothing, if `after` differs from `before` by our keys; both are `containerd config dump`.

    `specs` are the base specs that the handlers must have now.

    Raises:
        EffectiveConfigurationError: it does not. Values are not quoted: they may be credentials.
    """
    problems = tuple(_problems(dict(flat(tomllib.loads(before))), after, specs))
    if problems:
        raise EffectiveConfigurationError(problems=problems)


def flat(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Each value of a decoded TOML text, by the path of its keys."""
    if isinstance(value, dict) and value:
        for key, below in value.items():  # pyright: ignore[reportUnknownVariableType] - as decoded
            yield from flat(below, f"{path}/{key}")  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield path, value


def _problems(before: dict[str, object], dump: str, specs: Mapping[str, str]) -> Iterator[str]:
    after = dict(flat(tomllib.loads(dump)))
    given: set[str] = set()
    for path in sorted(before.keys() | after.keys()):
        ours = _OUR_KEY.search(path)
        if path == _IMPORTS:
            continue
        if ours is None or ours["handler"] not in specs:
            if before.get(path) != after.get(path):
                yield f"{path} changed"
            continue
        value = after.get(path)
        if ours["key"] == "base_runtime_spec":
            if value == specs[ours["handler"]]:
                given.add(ours["handler"])
        elif not _allows_ours_too(before.get(path), value):
            yield f"{path} lost a pattern"
    for handler in sorted(specs.keys() - given):
        yield f"handler {handler} has another base_runtime_spec than ours"


def _allows_ours_too(before: object, after: object) -> bool:
    old = set(cast("list[str]", before)) if isinstance(before, list) else set[str]()
    new = set(cast("list[str]", after)) if isinstance(after, list) else set[str]()
    return old | {ANNOTATIONS} <= new
