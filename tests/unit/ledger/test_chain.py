from __future__ import annotations

import hashlib
import json

import pytest

from nsledger.ledger.errors import NotARecordError
from nsledger.ledger.line import GENESIS, MAX_RECORD_BYTES, Head, link, opening


def test_a_line_is_seq_and_prev_in_front_of_the_records_own_fields() -> None:
    data, head = link(GENESIS, [b'{"event":"gap","n":1}', b'{"event":"gap","n":2}'])

    first, second = data.splitlines(keepends=True)
    assert first == b'{"seq":1,"prev":"' + b"0" * 64 + b'","event":"gap","n":1}\n'
    assert json.loads(second) == {
        "seq": 2,
        "prev": hashlib.sha256(first).hexdigest(),
        "event": "gap",
        "n": 2,
    }
    assert head == Head(seq=2, digest=hashlib.sha256(second).hexdigest())


def test_a_batch_gives_the_same_lines_as_its_records_one_by_one() -> None:
    records = [b'{"n":%d}' % number for number in range(5)]

    at_once, head = link(GENESIS, records)

    one_by_one, step = b"", GENESIS
    for record in records:
        line, step = link(step, [record])
        one_by_one += line
    assert (one_by_one, step) == (at_once, head)


def test_opening_is_what_the_next_line_begins_with() -> None:
    head = Head(seq=41, digest="ab" * 32)

    data, _ = link(head, [b'{"n":1}'])

    assert data.startswith(opening(head))
    assert opening(head).startswith(b'{"seq":42,')


@pytest.mark.parametrize(
    "record",
    [
        b"{}",
        b"[1]",
        b"",
        b'{"n":1',
        b'{"n":\n1}',
        b'{"n":1}\n',
        b'{"n":"' + b"x" * MAX_RECORD_BYTES + b'"}',
    ],
    ids=["empty object", "array", "nothing", "open", "two lines", "newline", "too long"],
)
def test_what_cannot_be_one_line_is_refused_with_its_place_in_the_batch(record: bytes) -> None:
    with pytest.raises(NotARecordError) as caught:
        link(GENESIS, [b'{"n":1}', record])

    assert caught.value.index == 1
