"""The chain against forgers, and the writer against every way to batch, crash and cut."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsledger.ledger.errors import Damage, LedgerDamagedError
from nsledger.ledger.line import GENESIS, Entry, Head, link
from nsledger.ledger.reader import entries, whole_lines
from nsledger.ledger.verify import verify
from nsledger.ledger.writer import LedgerWriter
from tests import ledgers

text = st.text(st.characters(codec="utf-8", exclude_characters='"\\', min_codepoint=32), max_size=9)
records = st.lists(text.map(lambda word: b'{"word":"%b"}' % word.encode()), min_size=3, max_size=12)


def chain(of: list[bytes], *, after: Head = GENESIS) -> list[bytes]:
    data, _ = link(after, of)
    return list(whole_lines([data]))


def damage_in(lines: list[bytes]) -> LedgerDamagedError | None:
    """What verify finds in a ledger of these lines."""
    with tempfile.TemporaryDirectory() as directory:
        ledgers.replace(Path(directory), lines)
        try:
            verify(directory)
        except LedgerDamagedError as error:
            return error
        return None


@given(records)
def test_a_chain_verifies(of: list[bytes]) -> None:
    assert damage_in(chain(of)) is None


@given(records, st.data())
def test_a_changed_byte_shows_at_once_or_in_the_next_link(
    of: list[bytes], data: st.DataObject
) -> None:
    lines = chain(of)
    at = data.draw(st.integers(0, len(lines) - 2))
    where = data.draw(st.integers(0, len(lines[at]) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = bytearray(lines[at])
    changed[where] ^= bit
    lines[at] = bytes(changed)

    error = damage_in(lines)

    assert error is not None
    assert error.seq in {at + 1, at + 2}
    assert error.sound_through <= at


@given(records, st.data())
def test_a_forger_who_makes_an_entry_fit_breaks_the_next_link(
    of: list[bytes], data: st.DataObject
) -> None:
    lines = chain(of)
    at = data.draw(st.integers(1, len(lines) - 2))
    before = Entry.parse(lines[at - 1]).head
    lines[at] = chain([b'{"word":"forged, and long enough to differ"}'], after=before)[0]

    error = damage_in(lines)

    assert error is not None
    assert (error.damage, error.seq) == (Damage.BROKEN_LINK, at + 2)


@given(records, st.data())
def test_a_forger_who_makes_the_next_link_fit_breaks_the_one_after(
    of: list[bytes], data: st.DataObject
) -> None:
    of = [*of, b'{"n":1}', b'{"n":2}']
    lines = chain(of)
    at = data.draw(st.integers(1, len(lines) - 3))
    before = Entry.parse(lines[at - 1]).head
    forged = b'{"word":"forged, and long enough to differ"}'
    lines[at : at + 2] = chain([forged, of[at + 1]], after=before)

    error = damage_in(lines)

    assert error is not None
    assert (error.damage, error.seq) == (Damage.BROKEN_LINK, at + 3)


@given(records, st.data())
def test_a_dropped_entry_is_missing(of: list[bytes], data: st.DataObject) -> None:
    lines = chain(of)
    at = data.draw(st.integers(0, len(lines) - 2))
    del lines[at]

    error = damage_in(lines)

    assert error is not None
    assert (error.damage, error.seq) == (Damage.MISSING, at + 1)


@given(records, st.data())
def test_a_dropped_entry_with_all_later_ones_renumbered_breaks_a_link(
    of: list[bytes], data: st.DataObject
) -> None:
    lines = chain(of)
    at = data.draw(st.integers(0, len(lines) - 2))
    lines[at:] = [
        line.replace(b'{"seq":%d,' % (seq + 1), b'{"seq":%d,' % seq)
        for seq, line in enumerate(lines[at + 1 :], start=at + 1)
    ]

    error = damage_in(lines)

    assert error is not None
    assert (error.damage, error.seq) == (Damage.BROKEN_LINK, at + 1)


@given(records, st.data())
def test_a_doubled_entry_is_repeated(of: list[bytes], data: st.DataObject) -> None:
    lines = chain(of)
    at = data.draw(st.integers(0, len(lines) - 1))
    lines.insert(at, lines[at])

    error = damage_in(lines)

    assert error is not None
    assert (error.damage, error.seq) == (Damage.REPEATED, at + 2)


@given(records, st.data())
def test_swapped_entries_show_at_the_first_of_them(of: list[bytes], data: st.DataObject) -> None:
    lines = chain(of)
    one = data.draw(st.integers(0, len(lines) - 2))
    other = data.draw(st.integers(one + 1, len(lines) - 1))
    lines[one], lines[other] = lines[other], lines[one]

    error = damage_in(lines)

    assert error is not None
    assert (error.damage, error.seq) == (Damage.MISSING, one + 1)


@given(records, st.data(), st.integers(0, 1 << 62))
def test_a_wrong_number_shows(of: list[bytes], data: st.DataObject, wrong: int) -> None:
    lines = chain(of)
    at = data.draw(st.integers(0, len(lines) - 1))
    if wrong == at + 1:
        wrong += 1
    lines[at] = lines[at].replace(b'{"seq":%d,' % (at + 1), b'{"seq":%d,' % wrong)

    error = damage_in(lines)

    assert error is not None
    assert error.seq == at + 1


@given(records, records, st.data())
def test_the_tail_of_another_ledger_does_not_fit(
    of: list[bytes], others: list[bytes], data: st.DataObject
) -> None:
    lines, foreign = chain(of), chain([b'{"ledger_id":"another"}', *others])
    at = data.draw(st.integers(1, min(len(lines), len(foreign)) - 1))

    error = damage_in(lines[:at] + foreign[at:])

    assert error is not None
    assert (error.damage, error.seq) == (Damage.BROKEN_LINK, at + 1)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), max_size=4), st.data())
def test_a_ledger_cut_at_any_byte_goes_on_with_every_whole_entry(
    batches: list[list[int]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        writer = LedgerWriter.open(name)
        for batch in batches:
            writer.append([ledgers.record(number) for number in batch])
        writer.close()
        whole = ledgers.segment(directory).read_bytes()
        cut = data.draw(st.integers(0, len(whole)))
        ledgers.segment(directory).write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")

        writer = LedgerWriter.open(name)
        recovered = writer.head.seq
        writer.append([ledgers.record(100)])
        writer.close()

        assert recovered == kept
        assert verify(name).head.seq == kept + 1
        assert [entry.seq for entry in entries(name)] == list(range(1, kept + 2))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_the_bytes_verify_answers_and_recovery_makes_it_sound(
    before: bytes, after: bytes
) -> None:
    with tempfile.TemporaryDirectory() as name:
        ledgers.write(Path(name), [1])
        with ledgers.segment(Path(name)).open("ab") as file:
            file.write(before + b"\n" + after)
        with pytest.raises(LedgerDamagedError):
            verify(name)

        writer = LedgerWriter.open(name)
        writer.append([ledgers.record(2)])
        writer.close()

        assert verify(name).head.seq == 2
