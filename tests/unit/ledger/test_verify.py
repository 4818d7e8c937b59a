from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from nsledger.ledger.chain import GENESIS, link
from nsledger.ledger.verify import Damage, LedgerDamagedError, verify
from tests import ledgers


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Ten entries."""
    ledgers.write(tmp_path, range(1, 11))
    return tmp_path


def damage_of(directory: Path) -> tuple[Damage, int]:
    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(directory))
    return caught.value.damage, caught.value.seq


def test_a_sound_ledger_verifies_to_its_head(ledger: Path) -> None:
    verified = verify(str(ledger))

    assert verified.head.seq == 10
    assert verified.head.digest == hashlib.sha256(ledgers.lines(ledger)[-1]).hexdigest()
    assert verified.unfinished_bytes == 0


def test_a_shell_finds_the_same_hash(ledger: Path) -> None:
    path = ledgers.segment(ledger)

    shell = subprocess.run(
        ["/bin/sh", "-c", f"sed -n 4p '{path}' | sha256sum"],
        check=True,
        capture_output=True,
        text=True,
    )

    assert f'"prev":"{shell.stdout.split()[0]}"'.encode() in ledgers.lines(ledger)[4]


def test_an_empty_ledger_verifies_to_genesis(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])

    assert verify(str(tmp_path)).head == GENESIS


def test_a_line_being_written_is_no_damage(ledger: Path) -> None:
    with ledgers.segment(ledger).open("ab") as file:
        file.write(b'{"seq":11,"prev"')

    verified = verify(str(ledger))

    assert (verified.head.seq, verified.unfinished_bytes) == (10, 16)


def test_an_edited_entry_breaks_the_link_of_the_next(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    lines[4] = lines[4].replace(b'"number":5', b'"number":6')
    ledgers.replace(ledger, lines)

    assert damage_of(ledger) == (Damage.BROKEN_LINK, 6)


def test_a_deleted_entry_is_missing(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, lines[:4] + lines[5:])

    assert damage_of(ledger) == (Damage.MISSING, 5)


def test_a_deleted_beginning_is_missing(ledger: Path) -> None:
    ledgers.replace(ledger, ledgers.lines(ledger)[1:])

    assert damage_of(ledger) == (Damage.MISSING, 1)


def test_a_doubled_entry_is_repeated(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, lines[:5] + lines[4:])

    assert damage_of(ledger) == (Damage.REPEATED, 6)


def test_a_line_that_is_no_json_is_no_entry(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    lines[4] = lines[4].replace(b'"number":5', b'"number":?')
    ledgers.replace(ledger, lines)

    assert damage_of(ledger) == (Damage.NOT_AN_ENTRY, 5)


def test_an_inserted_line_of_any_kind_is_no_entry(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, [*lines[:5], b"a note\n", *lines[5:]])

    assert damage_of(ledger) == (Damage.NOT_AN_ENTRY, 6)


def test_a_wrong_first_link_is_broken(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    lines[0] = lines[0].replace(b'"prev":"0', b'"prev":"1')
    ledgers.replace(ledger, lines)

    assert damage_of(ledger) == (Damage.BROKEN_LINK, 1)


def test_an_error_names_the_place_and_what_is_still_sound(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    lines[4] = lines[4].replace(b'"number":5', b'"number":6')
    ledgers.replace(ledger, lines)

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger))

    error = caught.value
    assert (error.path, error.line_number) == (str(ledgers.segment(ledger)), 6)
    assert error.sound_through == 4
    assert "entry 6" in str(error)


def test_a_chain_goes_on_over_segments(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, lines[:6])
    ledgers.segment(ledger, 7).write_bytes(b"".join(lines[6:]))

    assert verify(str(ledger)).head.seq == 10


def test_a_missing_segment_is_missing(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, lines[:3])
    ledgers.segment(ledger, 7).write_bytes(b"".join(lines[6:]))

    assert damage_of(ledger) == (Damage.MISSING, 4)


def test_a_segment_that_ends_in_a_torn_line_before_another_is_damaged(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, [*lines[:6], lines[6][:20]])
    ledgers.segment(ledger, 7).write_bytes(b"".join(lines[6:]))

    assert damage_of(ledger) == (Damage.NOT_AN_ENTRY, 7)


def test_a_segment_of_another_ledger_is_found_out(ledger: Path) -> None:
    lines = ledgers.lines(ledger)
    foreign, _ = link(GENESIS, [ledgers.record(number + 100) for number in range(10)])
    ledgers.replace(ledger, lines[:6])
    foreign_lines = foreign.splitlines(keepends=True)
    ledgers.segment(ledger, 7).write_bytes(b"".join(foreign_lines[6:]))

    assert damage_of(ledger) == (Damage.BROKEN_LINK, 7)


def test_a_segment_under_another_name_is_not_where_it_must_be(ledger: Path) -> None:
    ledgers.segment(ledger).rename(ledgers.segment(ledger, 2))

    assert damage_of(ledger) == (Damage.MISSING, 1)


def test_progress_tells_every_byte_once(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 2000))
    told: list[int] = []

    verify(str(tmp_path), progress=told.append)

    assert len(told) > 1
    assert sum(told) == ledgers.segment(tmp_path).stat().st_size
