"""The JSON Schemas of a ledger's lines and of the commands' answers, made from their types.

Source: JSON Schema draft 2020-12.
"""

from __future__ import annotations

from typing import Any, Final, cast, get_args

import msgspec

from nsledger.model.events import Event

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_ID: Final = "https://nsledger.dev/schema/{name}/v1.json"
_REF: Final = "#/$defs/{name}"
_ENVELOPE: Final[dict[str, dict[str, Any]]] = {
    "seq": {
        "type": "integer",
        "minimum": 1,
        "description": "1, 2, 3, without a gap: the only order there is.",
    },
    "prev": {
        "type": "string",
        "pattern": "^[0-9a-f]{64}$",
        "description": "SHA-256 of the line before, newline included; zeros in the first.",
    },
    "time": {
        "type": "string",
        "format": "date-time",
        "description": "RFC 3339, UTC, nanoseconds: the wall clock, which may be set.",
    },
    "mono_ns": {
        "type": "integer",
        "minimum": 0,
        "description": "CLOCK_MONOTONIC: it means nothing beyond its boot.",
    },
    "boot_id": {"type": "string", "description": "/proc/sys/kernel/random/boot_id"},
}


def record_schema() -> dict[str, Any]:
    """What every line of a ledger is: an envelope and one of the events, flat in one object.

    Fields that this version does not know are allowed, since later versions add some. An event that
    it does not know matches no member; who reads passes such a line over.
    """
    events = get_args(Event)
    _, components = msgspec.json.schema_components(events, ref_template=_REF)
    names = sorted(event.__name__ for event in events)
    for name in names:
        event = components[name]
        event["properties"] = {**_ENVELOPE, **cast("dict[str, Any]", event["properties"])}
        event["required"] = [*_ENVELOPE, *cast("list[str]", event["required"])]
    return {
        "$schema": _DRAFT,
        "$id": _ID.format(name="record"),
        "title": "A record of nsledger",
        "anyOf": [{"$ref": _REF.format(name=name)} for name in names],
        "$defs": {name: components[name] for name in sorted(components)},
    }


def records_schema() -> dict[str, Any]:
    """What `nsledger log -o json` is: an array of records."""
    record = record_schema()
    return {
        "$schema": _DRAFT,
        "$id": _ID.format(name="log"),
        "title": "The answer of nsledger log",
        "type": "array",
        "items": {"anyOf": record["anyOf"]},
        "$defs": record["$defs"],
    }


def answer_schema(command: str, of: Any) -> dict[str, Any]:  # noqa: ANN401 - a type, or list[type]
    """What a command answers with `-o json`: keys may be added, and none changes its meaning."""
    (answer,), components = msgspec.json.schema_components([of], ref_template=_REF)
    return {
        "$schema": _DRAFT,
        "$id": _ID.format(name=command),
        "title": f"The answer of nsledger {command}",
        **answer,
        "$defs": {name: components[name] for name in sorted(components)},
    }
