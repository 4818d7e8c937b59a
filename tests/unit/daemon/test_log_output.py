from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from nsledger.daemon import logs


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_pipe_gets_json_lines_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "auto")

    structlog.get_logger().info("thing.happened", count=2)

    printed = capsys.readouterr()
    line = json.loads(printed.err)
    assert (line["event"], line["count"], line["level"]) == ("thing.happened", 2, "info")
    assert line["timestamp"].endswith("Z")
    assert printed.out == ""


def test_less_than_the_level_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("warning", "console")

    structlog.get_logger().info("quiet.thing")
    structlog.get_logger().warning("loud.thing")

    printed = capsys.readouterr().err
    assert "loud.thing" in printed
    assert "quiet.thing" not in printed
    assert "\x1b" not in printed
