"""Whatever event can be written fits the schema that is shipped."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from nsledger.ledger.line import GENESIS, link
from nsledger.model.events import Event
from nsledger.model.record import Moment, encode
from nsledger.render.schemas import record_schema
from tests.property.test_record import moments, structs_of

VALIDATOR = Draft202012Validator(record_schema())


@pytest.mark.parametrize("struct", typing.get_args(Event), ids=lambda event: event.__name__)
@settings(max_examples=10, deadline=None)
@given(data=st.data(), at=moments)
def test_every_event_with_every_field_fits(
    struct: type[Any], data: st.DataObject, at: Moment
) -> None:
    event = data.draw(structs_of(struct))

    line, _ = link(GENESIS, [encode(event, at)])

    VALIDATOR.validate(msgspec.json.decode(line))
