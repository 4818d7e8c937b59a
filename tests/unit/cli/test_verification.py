from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from nsledger.cli import exit_codes, verification
from nsledger.report.verification import Verification
from tests import ledgers, programs
from tests.synthetic_node import example_node
from tests.unit.cli.conftest import Nsledger


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    directory = example_node().write(tmp_path / "ledger")
    lines = ledgers.lines(directory)
    ledgers.replace(directory, [*lines[:9], lines[9].replace(b"default", b"defaulx"), *lines[10:]])
    return directory


def test_a_sound_ledger_ends_with_0_and_its_head(nsledger: Nsledger, example_ledger: Path) -> None:
    done = nsledger("verify")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[:2] == [f"{example_ledger}: sound", "  entries  1 to 38"]


def test_damage_ends_with_1_and_its_place(nsledger: Nsledger, damaged: Path) -> None:
    done = nsledger("verify", "--ledger", str(damaged))

    assert (done.code, done.err) == (exit_codes.FOUND, "")
    assert f"{damaged}: damaged at entry 11" in done.out
    assert "broken_link" in done.out
    assert "entries 1 to 9; nothing is said of later ones" in done.out


def test_json_and_yaml_say_the_same(nsledger: Nsledger, damaged: Path) -> None:
    for ledger, sound in ((damaged, False), (None, True)):
        where = ["--ledger", str(ledger)] if ledger else []
        as_json = nsledger("verify", "-o", "json", *where).out
        as_yaml = nsledger("verify", "-o", "yaml", *where).out

        assert msgspec.json.decode(as_json, type=Verification).sound is sound
        assert yaml.safe_load(as_yaml) == json.loads(as_json)


def test_an_empty_ledger_is_sound(nsledger: Nsledger, tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])

    assert nsledger("verify", "--ledger", str(tmp_path)).code == 0


def test_a_later_segment_by_itself_is_verified_as_far_as_it_can_be(
    nsledger: Nsledger, example_ledger: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "evidence"
    copy.write_bytes(b"".join(ledgers.lines(example_ledger)[20:]))

    done = nsledger("verify", "--ledger", str(copy))

    assert done.code == 0
    assert "begins at entry 21: what came before is not here" in done.out


def test_a_long_walk_shows_its_progress_on_a_terminal_and_nowhere_else(
    example_ledger: Path,
) -> None:
    code = (
        "import sys; from nsledger.cli import verification;"
        "verification._LONG_BYTES = 0; from nsledger.cli.main import run; sys.exit(run(['verify']))"
    )
    env = programs.environment(example_ledger)
    ours, theirs = pty.openpty()

    quiet = subprocess.run(
        [programs.COMMAND[0], "-c", code], env=env, capture_output=True, check=True
    )
    subprocess.run(
        [programs.COMMAND[0], "-c", code],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        check=True,
    )
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    os.close(theirs)

    assert verification._LONG_BYTES > 0
    assert quiet.stderr == b""
    assert b"verifying" in shown
    assert b"100%" in shown
