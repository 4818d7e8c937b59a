from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.ledger.checkpoint import LINE_BYTES, Checkpoint, NotACheckpointError
from nsledger.ledger.line import Head
from tests import checkpoints

HEAD = Head(seq=1234, digest="9a" * 32)


@pytest.fixture
def line(tmp_path: Path) -> str:
    return checkpoints.checkpoint(HEAD, checkpoints.key(tmp_path / "key")).line


def test_a_line_reads_as_what_was_written(line: str) -> None:
    read = Checkpoint.parse(line)

    assert (read.ledger_id, read.head, read.time) == (checkpoints.LEDGER_ID, HEAD, checkpoints.TIME)
    assert read.line == line
    assert Checkpoint.parse(line.rstrip("\n")) == read


def test_what_is_signed_is_the_line_before_its_last_space(line: str) -> None:
    assert Checkpoint.parse(line).statement == line.rpartition(" ")[0].encode()


def test_openssl_and_a_shell_check_a_line_without_us(line: str, tmp_path: Path) -> None:
    (tmp_path / "line").write_text(line)
    script = (
        'line=$(cat line); printf %s "${line% *}" > said; printf %s "${line##* }" | base64 -d'
        " > signature; openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in said"
        " -sigfile signature"
    )

    done = subprocess.run(["bash", "-ec", script], cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert b"Success" in done.stdout


def test_the_longest_line_is_shorter_than_a_writer_looks_back(tmp_path: Path) -> None:
    longest = checkpoints.checkpoint(
        Head(seq=10**19 - 1, digest="f" * 64), checkpoints.key(tmp_path / "key")
    )

    assert len(longest.line) < LINE_BYTES


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("nsledger-checkpoint-v1", "nsledger-checkpoint-v2"),
        (" 1234 ", " 01234 "),
        (" 1234 ", " 0 "),
        (" 1234 ", "  1234 "),
        ("9a9a", "9A9A"),
        ("Z ", " "),
        ("\n", " more\n"),
    ],
)
def test_anything_else_is_no_checkpoint(line: str, part: str, other: str) -> None:
    assert part in line

    with pytest.raises(NotACheckpointError):
        Checkpoint.parse(line.replace(part, other, 1))


@given(st.text(max_size=400))
def test_no_text_is_more_than_refused(text: str) -> None:
    with pytest.raises(NotACheckpointError):
        Checkpoint.parse(text)
