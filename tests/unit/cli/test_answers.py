from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from nsledger.cli.commands import schema
from nsledger.cli.main import command
from nsledger.cli.schemas import TYPES, schema_of
from tests.unit.cli.conftest import Nsledger

ASKED = {
    "doctor": ["--only", "namespace-ids"],
    "explain": ["default/odd"],
    "findings": [],
    "log": [],
    "orphans": [],
    "pods": [],
    "show": ["default/odd"],
    "status": [],
    "tree": [],
    "verify": [],
    "whois": ["4026532257", "--live"],
}


@pytest.mark.parametrize("name", ASKED)
def test_what_a_command_answers_fits_the_schema_that_it_is_told_by(
    nsledger: Nsledger, odd_ledger: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("NSLEDGER_LEDGER", str(odd_ledger))

    answered = json.loads(nsledger(name, *ASKED[name], "-o", "json").out)

    validator = Draft202012Validator(json.loads(nsledger("schema", name).out))
    validator.validate(answered)
    assert not validator.is_valid("something else")


def test_what_join_adds_fits_its_schema(
    nsledger: Nsledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    events = tmp_path / "events"
    events.write_text('{"mntns_id":4026532260}\n{"mntns_id":1}\n{}\n')

    with events.open() as opened:
        monkeypatch.setattr(sys, "stdin", opened)
        lines = nsledger("join").out.splitlines()

    assert len(lines) == 3
    for line in lines:
        Draft202012Validator(schema_of("join")).validate(json.loads(line))


def test_every_command_that_answers_in_json_has_a_schema() -> None:
    context = command.make_context("nsledger", ["log"])
    in_json = {"join"}
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        assert one is not None
        forms = [option.type for option in one.params if option.name == "output"]
        if any("json" in getattr(form, "choices", ()) for form in forms):
            in_json.add(name)

    # What sql answers has the keys that were asked for.
    assert in_json - {"sql"} == {*TYPES, "log"} == set(schema.ANSWERS)
