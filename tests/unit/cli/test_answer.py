from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

import pytest
import yaml

from nsledger.cli.output import write_answer

ANSWER = {"pods": ["a\x1b[31m"]}


@pytest.mark.parametrize("output", ["text", "table", "wide"])
def test_people_get_the_lines_that_are_drawn(
    output: Literal["text", "table", "wide"], capsys: pytest.CaptureFixture[str]
) -> None:
    write_answer(ANSWER, output, lambda: ["one", "two"])

    assert capsys.readouterr().out == "one\ntwo\n"


def test_programs_get_the_answer_and_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    def draw() -> Iterator[str]:
        pytest.fail("nobody looks")

    write_answer(ANSWER, "json", draw)
    assert json.loads(capsys.readouterr().out) == ANSWER
    write_answer(ANSWER, "yaml", draw)
    assert yaml.safe_load(capsys.readouterr().out) == ANSWER
