from __future__ import annotations

import pytest

from nsledger.ledger.errors import NotAnEntryError
from nsledger.ledger.line import GENESIS, Entry, check_whole, link

LINE, HEAD = link(GENESIS, [b'{"event":"gap"}'])


def test_an_entry_tells_its_number_its_link_and_the_head_it_makes() -> None:
    entry = Entry.parse(LINE)

    assert (entry.seq, entry.prev, entry.line) == (1, "0" * 64, LINE)
    assert entry.head == HEAD


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"garbage\n",
        LINE[:-1],
        LINE[:-2] + b"\n",
        LINE.replace(b'"seq":1', b'"seq":01'),
        LINE.replace(b'"seq":1', b'"seq":-1'),
        LINE.replace(b'"seq":1', b'"seq": 1'),
        LINE.replace(b'"prev":"0', b'"prev":"G'),
        LINE.replace(b'"prev":"0', b'"prev":"'),
        LINE.replace(b'"event"', b"event"),
        b" " + LINE,
    ],
)
def test_only_the_one_form_of_an_opening_is_an_entry(line: bytes) -> None:
    with pytest.raises(NotAnEntryError):
        Entry.parse(line)


@pytest.mark.parametrize(
    "record", [b'{"a":}', b'{"a":1},{"b":1}', b'{"a":"\x00"}', b'{"a":"\xff"}']
)
def test_a_line_that_is_no_json_in_utf_8_is_not_whole(record: bytes) -> None:
    line, _ = link(GENESIS, [record])

    with pytest.raises(NotAnEntryError):
        check_whole(line)


def test_a_line_in_any_script_is_whole() -> None:
    line, _ = link(GENESIS, ['{"name":"größer als 変数"}'.encode()])

    check_whole(line)
