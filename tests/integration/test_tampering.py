"""The whole list of tamperings against the library, one core and many, and against the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nsledger.ledger import checkpoint_file
from nsledger.ledger.damage import LedgerDamagedError
from nsledger.ledger.verify import verify
from tests import checkpoints, programs, tampering
from tests.tampering import TAMPERINGS, Tampering

# The runner of these tests has threads of its own, and newer Pythons warn of forking then.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
by_name = pytest.mark.parametrize("one", TAMPERINGS, ids=lambda one: one.name)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tampering.make(tmp_path / "ledger")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    checkpoints.key(tmp_path / "key")
    return tmp_path / "key"


def test_the_untouched_ledger_is_sound(ledger: Path, key: Path) -> None:
    signed = tampering.sign(ledger, checkpoints.key(key))

    verified = verify(str(ledger), checkpoints=signed)

    assert (verified.head.seq, verified.signed_through) == (30, 30)


@by_name
@pytest.mark.parametrize("processes", [1, 2])
def test_each_tampering_is_told_with_its_kind_its_place_and_what_is_left(
    ledger: Path, key: Path, one: Tampering, processes: int
) -> None:
    signed = tampering.sign(ledger, checkpoints.key(key))
    one.apply(ledger)

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger), checkpoints=signed, processes=processes)

    found = caught.value
    assert (found.damage, found.seq, found.through_seq) == (one.damage, one.seq, one.through_seq)
    assert found.sound_through == one.trusted_with_checkpoints


@by_name
def test_the_chain_alone_finds_what_it_can_and_claims_no_more(ledger: Path, one: Tampering) -> None:
    one.apply(ledger)

    if one.needs_checkpoints:
        assert verify(str(ledger)).signed_through == 0
        return
    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger))

    found = caught.value
    assert (found.damage, found.seq, found.sound_through) == (
        one.damage,
        one.seq,
        one.trusted_through,
    )


@by_name
def test_the_program_says_so_to_people_and_to_programs(
    ledger: Path, key: Path, tmp_path: Path, one: Tampering
) -> None:
    for checkpoint in tampering.sign(ledger, checkpoints.key(key)):
        checkpoint_file.append(str(tmp_path / "checkpoints"), checkpoint)
    one.apply(ledger)
    arguments = ["verify", "--checkpoint", str(tmp_path / "checkpoints"), "--key", f"{key}.pub"]

    code, text = programs.run(arguments, programs.environment(ledger))
    json_code, as_json = programs.run([*arguments, "-o", "json"], programs.environment(ledger))

    assert (code, json_code) == (1, 1)
    assert f"kind     {one.damage}" in text
    told = json.loads(as_json)
    assert told["sound"] is False
    assert (told["damage"]["kind"], told["damage"]["seq"]) == (one.damage, one.seq)
    assert told["trusted_through"] == one.trusted_with_checkpoints
