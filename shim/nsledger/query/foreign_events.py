"""Where other tools' events tell a namespace, a container, a pid and a time.

Source: Tetragon `api/v1/tetragon` (Process.ns), Inspektor Gadget's common fields, Tracee
`trace.Event`, Falco's JSON output with its `output_fields`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.query.targets import NotAQuestionError, Question, parse

Event = Mapping[str, Any]

_FIRST: Final = ("mnt", "pid", "cgroup", "ipc", "net", "uts", "user", "time")
"""A container mostly has the first ones for itself, and shares the later ones with its pod."""
_KEYS: Final = {
    "mntns_id": "mnt",
    "mount_ns_id": "mnt",
    "netns_id": "net",
    "netns": "net",
    "mountNamespace": "mnt",
    "pidNamespace": "pid",
}
"""Inspektor Gadget (at the top or in `proc`) and Tracee."""
_CONTAINERS: Final = ("container.id", "containerId")
_TIMES: Final = ("time", "timestamp_raw", "timestamp", "evt.time")
_NESTED: Final = ("proc", "output_fields", "process")
_PLAUSIBLE_S: Final = 10**11
"""A number below is seconds, and each thousandfold the next smaller unit."""


def find(event: Event) -> Iterator[tuple[str, Question]]:
    """What `event` tells of whose it is: the place in it and a question, the most telling first."""
    found = dict(_namespaces(event))
    for type_ in _FIRST:
        for place, (of_type, question) in found.items():
            if of_type == type_:
                yield place, question
    for place, value in _walk(event, _CONTAINERS):
        if isinstance(value, str) and value not in {"", "host"}:
            try:
                yield place, parse(value)
            except NotAQuestionError:
                continue


def at_key(event: Event, key: str) -> Question | None:
    """What the value at `key`, with dots between its parts, asks for; None if nothing."""
    value = _value(event, key)
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    try:
        return parse(str(value))
    except NotAQuestionError:
        return None


def time_of(event: Event, key: str | None = None) -> int | None:
    """Unix time in nanoseconds of `event`, told at `key` or where such tools tell it."""
    if key is not None:
        return _moment(_value(event, key))
    for _, value in _walk(event, _TIMES):
        moment = _moment(value)
        if moment is not None:
            return moment
    return None


def _namespaces(event: Event) -> Iterator[tuple[str, tuple[str, Question]]]:
    for place, namespaces in _tetragon(event):
        for type_ in NamespaceType:
            inum = _object(namespaces.get(type_)).get("inum")
            if isinstance(inum, int) and inum > 0:
                yield f"{place}.{type_}.inum", (type_, parse(f"{type_}:[{inum}]"))
    for place, value in _walk(event, tuple(_KEYS)):
        of_key = _KEYS[place.rpartition(".")[2]]
        if str(value).isdecimal() and int(value) > 0:
            yield place, (of_key, parse(f"{of_key}:[{int(value)}]"))


def _tetragon(event: Event) -> Iterator[tuple[str, Event]]:
    for name, inner in event.items():
        if name.startswith("process_"):
            process = _object(_object(inner).get("process"))
            yield f"{name}.process.ns", _object(process.get("ns"))


def _walk(event: Event, names: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The values of `names` at the top of `event`, and in the objects that such tools have."""
    for name in names:
        if name in event:
            yield name, event[name]
        for outer in _NESTED:
            inner = _object(event.get(outer))
            if name in inner:
                yield f"{outer}.{name}", inner[name]


def _value(event: Event, key: str) -> object:
    if key in event:
        return event[key]
    value: object = event
    for part in key.split("."):
        value = _object(value).get(part)
    return value


def _object(value: object) -> Event:
    """`value`, or an empty object if it is none."""
    return cast("Event", value) if isinstance(value, dict) else {}


def _moment(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float) and value > 0:
        return _scaled(value)
    if isinstance(value, str):
        try:
            return unix_ns(value)
        except NotAnInstantError:
            return None
    return None


def _scaled(value: float) -> int:
    """A number of seconds, milliseconds, microseconds or nanoseconds as nanoseconds."""
    for factor in (1_000_000_000, 1_000_000, 1_000):
        if value < _PLAUSIBLE_S * (1_000_000_000 // factor):
            return int(value * factor)
    return int(value)
