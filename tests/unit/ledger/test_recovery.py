from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.ledger import files, recovery
from nsledger.ledger.line import GENESIS, link
from nsledger.ledger.recovery import End, find_end

FIRST, HEAD_1 = link(GENESIS, [b'{"n":1}'])
SECOND, HEAD_2 = link(HEAD_1, [b'{"n":2}'])
THIRD, HEAD_3 = link(HEAD_2, [b'{"n":3}'])


class EndOf:
    def __init__(self, directory: Path) -> None:
        self._path = directory / "segment"

    def __call__(self, data: bytes) -> End:
        self._path.write_bytes(data)
        descriptor = files.open_file(str(self._path))
        try:
            return find_end(descriptor, len(data))
        finally:
            os.close(descriptor)


@pytest.fixture
def end_of(tmp_path: Path) -> EndOf:
    return EndOf(tmp_path)


def test_a_sound_segment_ends_where_its_file_ends(end_of: EndOf) -> None:
    assert end_of(FIRST + SECOND) == End(len(FIRST + SECOND), HEAD_2)


@pytest.mark.parametrize("kept", range(len(THIRD)))
def test_a_line_torn_anywhere_does_not_count(end_of: EndOf, kept: int) -> None:
    assert end_of(FIRST + SECOND + THIRD[:kept]) == End(len(FIRST + SECOND), HEAD_2)


def test_trailing_lines_that_are_no_entries_do_not_count(end_of: EndOf) -> None:
    assert end_of(FIRST + b"{}\ngarbage\n") == End(len(FIRST), HEAD_1)


def test_a_page_lost_in_a_power_cut_takes_the_lines_behind_it_along(end_of: EndOf) -> None:
    hole = b"\0" * len(SECOND)

    assert end_of(FIRST + hole + THIRD) == End(len(FIRST), HEAD_1)
    assert end_of(FIRST + SECOND[:20] + hole[20:] + THIRD) == End(len(FIRST), HEAD_1)


def test_a_whole_entry_behind_a_lost_page_is_lost_with_it(end_of: EndOf) -> None:
    hole = b"\0" * (len(SECOND) - 1) + b"\n"

    assert end_of(FIRST + hole + THIRD) == End(len(FIRST), HEAD_1)


def test_a_line_that_opens_like_an_entry_and_is_no_json_does_not_count(end_of: EndOf) -> None:
    assert end_of(FIRST + SECOND.replace(b'"n":2', b'"n":?')) == End(len(FIRST), HEAD_1)


def test_a_hole_where_everything_was_synced_is_no_crash_and_hides_nothing(
    end_of: EndOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "UNSYNCED_LIMIT_BYTES", len(THIRD))

    assert end_of(FIRST + b"\0" * (len(SECOND) - 1) + b"\n" + THIRD).head == HEAD_3


def test_an_edited_entry_before_the_last_is_not_taken_for_a_crash(end_of: EndOf) -> None:
    edited = SECOND.replace(b'"n":2', b'"n":9')

    assert end_of(FIRST + edited + THIRD) == End(len(FIRST + edited + THIRD), HEAD_3)


def test_a_segment_without_an_entry_has_no_head(end_of: EndOf) -> None:
    assert end_of(b"") == End(0, None)
    assert end_of(FIRST[:-1]) == End(0, None)


def test_the_last_entry_is_found_behind_an_end_longer_than_any_window(
    end_of: EndOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "WINDOW_BYTES", 2 * len(THIRD))

    assert end_of(FIRST + SECOND + THIRD) == End(len(FIRST + SECOND + THIRD), HEAD_3)

    for extra in range(200):
        assert end_of(FIRST + SECOND + b"x" * extra) == End(len(FIRST + SECOND), HEAD_2)
    assert end_of(b"x" * 1000 + b"\n") == End(0, None)


@pytest.mark.parametrize(
    "last",
    [
        b'{"seq":2,"prev":"%b","n":%b}\n' % (HEAD_1.digest.encode(), b"[" * 1500 + b"]" * 1500),
        b'{"seq":2,"prev":"%b","n":"%b"}\n' % (HEAD_1.digest.encode(), b"x" * (2 << 20)),
    ],
    ids=["deep", "long"],
)
def test_an_entry_past_the_limits_is_none(end_of: EndOf, last: bytes) -> None:
    """`json` and msgspec would give up on it, and so would every later start of the daemon."""
    assert end_of(FIRST + last) == End(len(FIRST), HEAD_1)
