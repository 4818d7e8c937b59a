from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
from click.testing import CliRunner

from nsledger.cli.commands.serve import command
from nsledger.daemon.config import Configuration, read
from nsledger.daemon.config_text import keys, page, toml

KEYS = [field.name for field in msgspec.structs.fields(Configuration)]


def test_the_default_file_has_every_key_and_changes_nothing() -> None:
    text = toml()

    assert tomllib.loads(text) == {}
    assert re.findall(r"(?m)^#(\w+) = ", text) == KEYS


def test_the_default_file_without_its_marks_is_good_and_is_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "nsledger.toml"
    path.write_text(re.sub(r"(?m)^#(?=\w+ = )", "", toml()))

    assert read(str(path)) == msgspec.structs.asdict(Configuration())


def test_what_a_key_takes_is_told_in_words() -> None:
    takes = {key.name: key.takes for key in keys()}

    assert takes["write_ahead"] == '"memory", "write" or "sync"'
    assert takes["hold_limit_s"] == "number, more than 0, at most 3600"
    assert takes["reconcile_interval_s"] == "number, at least 0, at most 86400"
    assert takes["annotate"] == "true or false"
    assert takes["ledger"] == "text, not empty"


def test_the_page_has_a_row_for_every_key() -> None:
    assert re.findall(r"(?m)^\| `(\w+)` \| ", page()) == KEYS


def test_no_line_of_the_default_file_is_too_long_to_read() -> None:
    assert max(map(len, toml().splitlines())) <= 100


def test_the_default_file_is_printed_whatever_is_configured() -> None:
    done = CliRunner().invoke(
        command, ["--print-default-config"], env={"NSLEDGER_HOLD_LIMIT_S": "0.7"}
    )

    assert done.exit_code == 0
    assert done.output == toml()
