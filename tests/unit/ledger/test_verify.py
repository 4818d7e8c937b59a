from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.errors import Damage, LedgerDamagedError
from nsledger.ledger.line import GENESIS, Entry, Head, link
from nsledger.ledger.verify import NothingComparedError, verify
from tests import checkpoints, ledgers, synthetic_node


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


@pytest.fixture
def signed(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Checkpoint]:
    """Checkpoints of the entries 4, 8 and 10."""
    key = checkpoints.key(tmp_path_factory.mktemp("key") / "key")
    lines = ledgers.lines(ledger)
    return [checkpoints.checkpoint(Entry.parse(lines[seq - 1]).head, key) for seq in (4, 8, 10)]


def convicted(directory: Path, signed: Sequence[Checkpoint]) -> LedgerDamagedError:
    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(directory), checkpoints=signed)
    return caught.value


def rehashed(lines: list[bytes], at: int) -> list[bytes]:
    """`lines` with entry `at` edited and all later ones hashed again: a sound chain."""
    before = Entry.parse(lines[at - 2]).head if at > 1 else GENESIS
    records = [b"{" + line[line.index(b'"number"') : -1] for line in lines[at - 1 :]]
    records[0] = records[0].replace(b'"filler":""', b'"filler":"forged"')
    data, _ = link(before, records)
    return [*lines[: at - 1], *data.splitlines(keepends=True)]


def test_what_was_signed_is_vouched_for(ledger: Path, signed: list[Checkpoint]) -> None:
    verified = verify(str(ledger), checkpoints=signed[:2])

    assert (verified.signed_through, verified.compared) == (8, 2)
    assert verify(str(ledger)).signed_through == 0


def test_a_cut_tail_is_convicted(ledger: Path, signed: list[Checkpoint]) -> None:
    ledgers.replace(ledger, ledgers.lines(ledger)[:9])

    error = convicted(ledger, signed)

    assert (error.damage, error.seq, error.through_seq) == (Damage.TRUNCATED, 10, 10)
    assert error.sound_through == 8


def test_a_rehashed_tail_is_convicted_and_what_was_signed_before_it_stays(
    ledger: Path, signed: list[Checkpoint]
) -> None:
    ledgers.replace(ledger, rehashed(ledgers.lines(ledger), 6))
    assert verify(str(ledger)).head.seq == 10, "the chain alone cannot tell"

    error = convicted(ledger, signed)

    assert (error.damage, error.seq, error.through_seq) == (Damage.REWRITTEN, 5, 8)
    assert error.sound_through == 4


def test_a_last_entry_that_was_changed_is_convicted(ledger: Path, signed: list[Checkpoint]) -> None:
    ledgers.replace(ledger, rehashed(ledgers.lines(ledger), 10))

    error = convicted(ledger, signed)

    assert (error.damage, error.seq, error.through_seq) == (Damage.REWRITTEN, 9, 10)


def test_an_older_copy_that_was_written_on_is_convicted(
    ledger: Path, signed: list[Checkpoint]
) -> None:
    ledgers.replace(ledger, ledgers.lines(ledger)[:6])
    ledgers.write(ledger, range(50, 70))

    error = convicted(ledger, signed)

    assert (error.damage, error.seq, error.through_seq) == (Damage.REWRITTEN, 5, 8)


def test_what_a_checkpoint_vouches_for_stays_trusted_up_to_the_damage(
    ledger: Path, signed: list[Checkpoint]
) -> None:
    lines = ledgers.lines(ledger)
    ledgers.replace(ledger, [*lines[:8], *lines[9:]])

    assert convicted(ledger, []).sound_through == 7
    assert convicted(ledger, signed).sound_through == 8


def test_two_checkpoints_of_one_entry_cannot_both_be_right(
    ledger: Path, signed: list[Checkpoint]
) -> None:
    other = msgspec.structs.replace(signed[1], head=Head(8, "0" * 64))

    assert convicted(ledger, [*signed, other]).damage is Damage.REWRITTEN


def test_a_ledger_in_place_of_another_is_convicted(tmp_path: Path) -> None:
    ours = synthetic_node.example_node().write(tmp_path / "ours")
    checkpoint = checkpoints.sign_end(ours, tmp_path / "checkpoints", tmp_path / "key")
    other = msgspec.structs.replace(checkpoint, ledger_id="ab" * 16)

    assert verify(str(ours), checkpoints=[checkpoint]).compared == 1
    error = convicted(ours, [checkpoint, other])

    assert (error.damage, error.seq, error.sound_through) == (Damage.FOREIGN, 1, 0)


def test_a_lone_segment_is_held_against_the_checkpoints_of_its_entries_only(
    ledger: Path, signed: list[Checkpoint], tmp_path: Path
) -> None:
    lines = ledgers.lines(ledger)
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(lines[4:9]))

    verified = verify(str(copy), checkpoints=signed)
    assert (verified.signed_through, verified.compared) == (8, 2)

    copy.write_bytes(b"".join(lines[8:9]))
    with pytest.raises(NothingComparedError, match="no checkpoint of entries 8 to 9"):
        verify(str(copy), checkpoints=[signed[0]])


def test_what_a_lone_segment_claims_to_follow_is_held_against_a_checkpoint(
    ledger: Path, signed: list[Checkpoint], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(rehashed(ledgers.lines(ledger), 4)[4:]))
    assert verify(str(copy)).before.seq == 4

    error = convicted(copy, signed[:1])

    assert (error.damage, error.seq, error.through_seq) == (Damage.REWRITTEN, 1, 4)
