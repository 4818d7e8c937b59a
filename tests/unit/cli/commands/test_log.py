from __future__ import annotations

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.commands.log import command
from nsledger.model.events import Source
from tests.unit.cli.conftest import Nsledger


@pytest.mark.parametrize("arguments", [["-f", "-r"], ["-f", "-o", "json"], ["--tail", "-1"]])
def test_what_has_no_end_or_no_sense_is_refused(nsledger: Nsledger, arguments: list[str]) -> None:
    done = nsledger("log", *arguments)

    assert (done.code, done.out) == (exit_codes.USAGE, "")


def test_every_witness_can_be_asked_for() -> None:
    (source,) = [option for option in command.params if option.name == "source"]

    assert set(source.type.choices) == set(Source)  # type: ignore[attr-defined]  # it is a Choice
