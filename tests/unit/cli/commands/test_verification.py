from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import yaml

from nsledger.cli import exit_codes
from nsledger.cli.commands import verify
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import LedgerUnattested, Source
from nsledger.recorder.recorder import Recorder
from nsledger.render.verification import Verification
from tests import checkpoints, ledgers, programs, recording
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


@pytest.fixture
def signed(example_ledger: Path, tmp_path: Path) -> tuple[str, ...]:
    """A copy of the example, and options that hold it against a checkpoint of its end."""
    copy = tmp_path / "signed"
    shutil.copytree(example_ledger, copy)
    checkpoints.sign_end(copy, tmp_path / "checkpoints", tmp_path / "key")
    held = {"--checkpoint": "checkpoints", "--key": "key.pub", "--ledger": "signed"}
    return tuple(word for name, file in held.items() for word in (name, str(tmp_path / file)))


def test_a_ledger_that_holds_what_was_signed_is_told_so(
    nsledger: Nsledger, signed: tuple[str, ...]
) -> None:
    done = nsledger("verify", *signed)

    assert (done.code, done.err) == (0, "")
    assert "  signed   entry 38 and all before it, by a checkpoint" in done.out.splitlines()
    assert json.loads(nsledger("verify", "-o", "json", *signed).out)["signed_through"] == 38
    assert json.loads(nsledger("verify", "-o", "json").out)["signed_through"] is None


def test_a_tail_that_was_cut_off_ends_with_1(
    nsledger: Nsledger, signed: tuple[str, ...], tmp_path: Path
) -> None:
    directory = tmp_path / "signed"
    ledgers.replace(directory, ledgers.lines(directory)[:30])

    done = nsledger("verify", *signed)

    assert (done.code, done.err) == (exit_codes.FOUND, "")
    assert f"{directory}: damaged from entry 31 on" in done.out
    assert "kind     truncated" in done.out
    assert "it ends with entry 30; entry 38 was signed at 2026-11-24T00:03:50.123" in done.out


def test_a_wrong_key_or_file_is_no_answer_about_the_ledger(
    nsledger: Nsledger, signed: tuple[str, ...], tmp_path: Path
) -> None:
    checkpoints.key(tmp_path / "other")
    another_key = [word.replace("key.pub", "other.pub") for word in signed]
    another_file = [word.replace("/checkpoints", "/key.pub") for word in signed]

    by_another = nsledger("verify", *another_key)
    of_nothing = nsledger("verify", *another_file)

    assert (by_another.code, by_another.out) == (exit_codes.NO_ANSWER, "")
    assert "checkpoint of entry 38" in by_another.err
    assert (of_nothing.code, of_nothing.out) == (exit_codes.NO_ANSWER, "")
    assert "key.pub:1: found '-----BEGIN PUBLIC KEY-----" in of_nothing.err


def test_a_checkpoint_without_a_key_is_wrong_usage(nsledger: Nsledger) -> None:
    for only in (["--checkpoint", "x"], ["--key", "x"]):
        assert nsledger("verify", *only).code == exit_codes.USAGE


def test_a_long_walk_shows_its_progress_on_a_terminal_and_nowhere_else(
    example_ledger: Path,
) -> None:
    code = (
        "import sys; from nsledger.cli.commands import verify as verification;"
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

    assert verify._LONG_BYTES > 0
    assert quiet.stderr == b""
    assert b"verifying" in shown
    assert b"100%" in shown


def test_what_was_blanked_and_then_moved_aside_at_a_start_is_said_with_its_span(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    directory = example_node().write(tmp_path / "ledger")
    lines = ledgers.lines(directory)
    blanked = b"\0" * (len(lines[9]) - 1) + b"\n"
    ledgers.replace(directory, [*lines[:9], blanked, *lines[10:]])
    recorder = Recorder(
        lambda: LedgerWriter.open(str(directory)),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
    )
    recorder.start()
    assert recorder.record(recording.event("on"), at=recording.now(), sync=True).wait(30)
    assert recorder.close(30) == 0

    done = nsledger("verify", "--ledger", str(directory))
    found = msgspec.json.decode(
        nsledger("verify", "-o", "json", "--ledger", str(directory)).out, type=Verification
    )

    assert f"{directory}: sound, without what was moved aside" in done.out
    assert "entries 10 to 38, were moved aside as torn-00000000000000000010-1" in done.out
    (span,) = found.moved_aside
    assert (span.from_seq, span.through_seq) == (10, 38)
    assert span.size_bytes == sum(map(len, lines[9:]))
    done_apart = subprocess.run(
        [sys.executable, "-I", "-S", "tools/verify_ledger.py", str(directory)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done_apart.stdout.rstrip().endswith("; moved aside 10 to 38")


def test_what_nobody_vouches_for_is_repeated(nsledger: Nsledger, tmp_path: Path) -> None:
    node = example_node()
    node.say(LedgerUnattested(source=Source.DAEMON, from_seq=7, through_seq=9))
    directory = node.write(tmp_path / "ledger")

    assert (
        "nobody vouches for entries 7 to 9: record 39"
        in nsledger("verify", "--ledger", str(directory)).out
    )


def test_damage_at_the_beginning_is_named_with_checkpoints_as_without(
    nsledger: Nsledger, tmp_path: Path
) -> None:
    directory = example_node().write(tmp_path / "ledger")
    signed = checkpoints.sign_end(directory, tmp_path / "signed", tmp_path / "key")
    lines = ledgers.lines(directory)
    with_key = ["--checkpoint", str(tmp_path / "signed"), "--key", f"{tmp_path / 'key'}.pub"]

    for first in (b"garbage\n", b"\0" * 40 + b"\n", lines[0][:40] + b"\n", lines[0][:-1], b""):
        ledgers.replace(directory, [first, *lines[1:]])
        for more in ([], with_key):
            done = nsledger("verify", "--ledger", str(directory), *more)
            assert done.code == exit_codes.FOUND, done
            assert "damaged at entry 1" in done.out
    assert signed.head.seq == 38
