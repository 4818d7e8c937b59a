from __future__ import annotations

import json

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nsledger.render.json_yaml import to_json, to_yaml


class Named(msgspec.Struct):
    name: str
    until: str | None = None


# What no YAML 1.1 and no JSON in UTF-8 can hold is not in a record: the codec replaced it.
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts)
def test_json_and_yaml_say_the_same_and_steer_nothing(name: str) -> None:
    value = Named(name)

    as_json, as_yaml = to_json(value), to_yaml(value)

    assert json.loads(as_json) == yaml.safe_load(as_yaml) == {"name": name, "until": None}
    assert as_json.replace("\n", "").isprintable()
    assert as_yaml.replace("\n", "").isprintable()
    assert as_yaml.isascii()


@pytest.mark.parametrize("name", ["yes", "012", "1e3", "null", "2026-11-24", "- x", "&a", "", "~"])
def test_a_name_that_looks_like_something_else_stays_a_name(name: str) -> None:
    assert yaml.safe_load(to_yaml(Named(name)))["name"] == name
