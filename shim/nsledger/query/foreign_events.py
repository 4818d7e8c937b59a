"""Where other tools' events tell a namespace, a container, a pid and a time.

Source: Tetragon `api/v1/tetragon` (Process.ns), Inspektor Gadget's common fields, Tracee
`trace.Event`, Falco's JSON output with its `output_fields`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.query.targets import ByProcessId, NotAQuestionError, Question, parse

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
_CONTAINERS: Final = ("container.id", "containerId", "runtime.containerId", "docker")
"""Falco; Tracee; Inspektor Gadget; Tetragon's process, which has the first 31 digits."""
_CONTAINER_ID: Final = re.compile(r"(?:[\w.-]+://)?([0-9a-f]{8,64})", re.ASCII).fullmatch
_TIMES: Final = ("time", "timestamp_raw", "timestamp", "evt.time")
_NESTED: Final = ("proc", "output_fields", "process")
_EARLIEST_NS: Final = 946_684_800 * 10**9
"""The year 2000: no event of a pod is older, and no node has been up for as long."""
_LEAST_BOOT_NS: Final = 10**9
"""No container runs within a second of the boot."""


def find(event: Event) -> Iterator[tuple[str, Question]]:
    """What `event` tells of whose it is: the place in it and a question, the most telling first."""
    found = dict(_namespaces(event))
    for type_ in _FIRST:
        for place, (of_type, question) in found.items():
            if of_type == type_:
                yield place, question
    for place, value in (*_walk(event, _CONTAINERS), *_container_ids(event)):
        container_id = _CONTAINER_ID(value) if isinstance(value, str) else None
        if container_id is not None:
            yield place, ByProcessId(container_id[1])


def at_key(event: Event, key: str) -> Question | None:
    """What the value at `key`, with dots between its parts, asks for; None if nothing."""
    value = _value(event, key)
    if not isinstance(value, str | int) or isinstance(value, bool):
        return None
    try:
        return parse(str(value))
    except NotAQuestionError:
        return None


class EventTime(msgspec.Struct, frozen=True):
    """When an event says that it was."""

    unix_ns: int | None = None
    """Unix time; None if it says none."""
    boot_ns: int | None = None
    """Since the boot of its node, which it does not name: `bpf_ktime_get_boot_ns` writes that.

    Beside `unix_ns`, it is what the same number may mean as well: 1.7e15 is a date in microseconds
    or twenty days.
    """


def time_of(event: Event, key: str | None = None, *, latest_ns: int) -> EventTime:
    """The time of `event`, told at `key` or where such tools tell it.

    A number that is no date between 2000 and `latest_ns` in any unit is a time since boot.
    """
    values = [_value(event, key)] if key is not None else [it for _, it in _walk(event, _TIMES)]
    found = (_moment(value, latest_ns) for value in values)
    return next((one for one in found if one != EventTime()), EventTime())


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


def _container_ids(event: Event) -> Iterator[tuple[str, object]]:
    """Where whole objects tell of a container: Tetragon's pod and Inspektor Gadget's runtime."""
    for name, inner in event.items():
        if name.startswith("process_"):
            process = _object(_object(inner).get("process"))
            container = _object(_object(process.get("pod")).get("container"))
            yield f"{name}.process.pod.container.id", container.get("id")
            yield f"{name}.process.docker", process.get("docker")
    for outer in ("runtime", "container"):
        inner = _object(event.get(outer))
        for key in ("containerId", "id"):
            yield f"{outer}.{key}", inner.get(key)


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


def _moment(value: object, latest_ns: int) -> EventTime:
    if isinstance(value, str):
        try:
            return EventTime(unix_ns(value))
        except NotAnInstantError:
            value = int(value) if value.isdecimal() and value.isascii() else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1 << 63:
        return EventTime()
    is_boot_time = isinstance(value, int) and _LEAST_BOOT_NS <= value < _EARLIEST_NS
    boot_ns = int(value) if is_boot_time else None
    for factor in (1_000_000_000, 1_000_000, 1_000, 1):
        moment_ns = int(value * factor)
        if _EARLIEST_NS <= moment_ns <= latest_ns:
            return EventTime(moment_ns, boot_ns)
    return EventTime(boot_ns=boot_ns)
