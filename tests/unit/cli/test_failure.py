from __future__ import annotations

import errno

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.errors import exit_code, report
from nsledger.errors import NsledgerError, WrongUsageError


class HintedError(NsledgerError):
    hint = "Do this."


def told(error: NsledgerError | OSError, capsys: pytest.CaptureFixture[str]) -> list[str]:
    report(error)
    return capsys.readouterr().err.splitlines()


def test_the_message_comes_first_and_the_hint_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(HintedError("found a, needed b"), capsys) == [
        "nsledger: found a, needed b",
        "hint: Do this.",
    ]
    assert told(NsledgerError("found a"), capsys) == ["nsledger: found a"]


def test_the_systems_errors_name_their_path_and_what_was_noted_on_the_way(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = OSError(errno.EACCES, "it went wrong", "/the/path")
    error.add_note("Do that.")

    assert told(error, capsys) == ["nsledger: /the/path: it went wrong", "hint: Do that."]


def test_an_error_without_a_path_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(OSError(errno.EIO, "Input/output error"), capsys) == [
        "nsledger: Input/output error"
    ]
    assert told(OSError("odd"), capsys) == ["nsledger: odd"]


def test_what_others_named_is_inert(capsys: pytest.CaptureFixture[str]) -> None:
    error = OSError(errno.EACCES, "Permission denied", b"/\x1b[2J\n\xff")

    assert told(error, capsys) == [r"nsledger: /\x1b[2J\n\udcff: Permission denied"]
    assert told(WrongUsageError("a\nb", details=["c\nd"]), capsys) == [
        r"nsledger: a\nb",
        r"  c\nd",
    ]


def test_only_wrong_usage_ends_with_2() -> None:
    assert exit_code(WrongUsageError("")) == exit_codes.USAGE
    assert exit_code(NsledgerError("")) == exit_code(OSError()) == exit_codes.NO_ANSWER
