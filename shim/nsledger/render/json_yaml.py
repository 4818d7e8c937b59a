"""Reports for programs: JSON and YAML of the same values, with the same keys."""

from __future__ import annotations

import msgspec

from nsledger.render.text import inert_json


def to_json(value: object) -> str:
    """Indented JSON, newline included; nothing in it can steer a terminal."""
    return inert_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()) + "\n"


def to_yaml(value: object) -> str:
    """YAML 1.1 in block style, newline included, ASCII only."""
    import yaml  # noqa: PLC0415 - only for those who ask for it

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    plain = msgspec.to_builtins(value)
    return str(yaml.dump(plain, Dumper=dumper, sort_keys=False, allow_unicode=False, width=1000))
