from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from nsledger.model.events import UnknownEvent
from nsledger.model.record import decode
from nsledger.render.json_yaml import to_json
from nsledger.render.schemas import record_schema
from tests.synthetic_node import example_node, odd_node

SHIPPED = Path(__file__).parents[3] / "docs" / "record.schema.json"


def in_one_order(schema: object) -> object:
    """The same with its alternatives sorted: releases of msgspec list them in different orders."""
    if isinstance(schema, list):
        return sorted(map(in_one_order, schema), key=repr)
    if isinstance(schema, dict):
        return {key: in_one_order(value) for key, value in sorted(schema.items())}
    return schema


def test_it_is_a_schema_and_the_one_that_is_shipped() -> None:
    Draft202012Validator.check_schema(record_schema())

    printed = json.loads(to_json(record_schema()))
    assert in_one_order(json.loads(SHIPPED.read_text())) == in_one_order(printed), (
        "make it anew: nsledger schema > docs/record.schema.json"
    )


def test_every_line_of_a_ledger_fits_it() -> None:
    validator = Draft202012Validator(record_schema())

    for line in [*example_node().lines(), *odd_node().lines()]:
        validator.validate(json.loads(line))


def test_what_is_no_record_does_not_fit() -> None:
    validator = Draft202012Validator(record_schema())
    record = json.loads(example_node().lines()[0])

    for wrong in (
        {**record, "seq": 0},
        {**record, "prev": "0" * 63},
        {**record, "event": "ledger.melted"},
        {**record, "ledger_id": 7},
        {key: value for key, value in record.items() if key != "boot_id"},
    ):
        assert not validator.is_valid(wrong)


def test_a_field_of_a_later_version_does_no_harm() -> None:
    record = json.loads(example_node().lines()[0]) | {"later": 1}

    Draft202012Validator(record_schema()).validate(record)
    assert not isinstance(decode(json.dumps(record).encode()).event, UnknownEvent)


def test_every_event_says_what_it_is_for() -> None:
    told = record_schema()
    for member in told["anyOf"]:
        of_event = told["$defs"][re.sub(".*/", "", member["$ref"])]
        assert of_event["description"]
        assert of_event["required"][:5] == ["seq", "prev", "time", "mono_ns", "boot_id"]
