from __future__ import annotations

import errno

import pytest

from nsledger.cli.reading import reading_a_ledger, reading_checkpoints


@reading_a_ledger()
def fail(number: int, path: str | None) -> None:
    raise OSError(number, "it went wrong", path)


@pytest.mark.parametrize(
    ("number", "hint"),
    [
        (errno.ENOENT, "--ledger PATH"),
        (errno.EACCES, "try again with sudo"),
        (errno.ELOOP, "symbolic link"),
    ],
)
def test_an_error_of_a_file_gets_a_note_of_what_to_do(number: int, hint: str) -> None:
    with pytest.raises(OSError, match="it went wrong") as caught:
        fail(number, "/ledger")

    assert hint in caught.value.__notes__[0]


def test_a_missing_file_of_checkpoints_gets_a_note_of_its_own_and_no_other() -> None:
    @reading_a_ledger()
    @reading_checkpoints()
    def fail_to_read() -> None:
        raise OSError(errno.ENOENT, "it went wrong", "/checkpoints")

    with pytest.raises(OSError, match="it went wrong") as caught:
        fail_to_read()

    (hint,) = caught.value.__notes__
    assert "nsledger keygen" in hint


@pytest.mark.parametrize(("number", "path"), [(errno.EIO, "/ledger"), (errno.EACCES, None)])
def test_what_is_not_about_a_file_or_has_no_remedy_goes_up_as_it_is(
    number: int, path: str | None
) -> None:
    with pytest.raises(OSError, match="it went wrong") as caught:
        fail(number, path)

    assert not hasattr(caught.value, "__notes__")
