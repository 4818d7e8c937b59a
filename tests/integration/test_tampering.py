"""The whole list of tamperings against the library, one core and many, and against the program."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.errors import Damage, LedgerDamagedError
from nsledger.ledger.reader import entries_backwards
from nsledger.ledger.verify import verify
from tests import checkpoints, ledgers, programs, tampering
from tests.tampering import TAMPERINGS, Tampering

AUDITOR = Path(__file__).parents[2] / "tools" / "verify_ledger.py"

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


@pytest.fixture(params=["plain", "compressed"])
def form(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    """What becomes of the closed segments before anybody looks."""
    return tampering.compress if request.param == "compressed" else lambda _: None


def test_the_untouched_ledger_is_sound(ledger: Path, key: Path) -> None:
    signed = tampering.sign(ledger, checkpoints.key(key))

    verified = verify(str(ledger), checkpoints=signed)

    assert (verified.head.seq, verified.signed_through) == (30, 30)
    assert auditor(ledger, key, signed).startswith(f"sound: 30 {verified.head.digest}, ")


def test_a_ledger_that_was_pruned_by_the_rules_is_sound(
    ledger: Path, key: Path, form: Callable[[Path], None]
) -> None:
    signed = tampering.sign(ledger, checkpoints.key(key))
    tampering.prune(ledger)
    form(ledger)
    last = next(entries_backwards(str(ledger)))
    signed.append(checkpoints.checkpoint(last.head, checkpoints.key(key)))

    verified = verify(str(ledger), checkpoints=signed)

    assert (verified.before.seq, verified.head.seq, verified.compared) == (10, 31, 3)
    assert auditor(ledger, key, signed).startswith(f"sound: 31 {verified.head.digest}, ")


def test_a_pruning_that_no_checkpoint_covers_counts_for_nothing(
    ledger: Path, key: Path, form: Callable[[Path], None]
) -> None:
    """Its record may have been put behind the newest checkpoint by who removed the segments."""
    signed = tampering.sign(ledger, checkpoints.key(key))
    tampering.prune(ledger)
    form(ledger)

    assert verify(str(ledger)).before.seq == 10, "the chain alone cannot tell"
    with pytest.raises(LedgerDamagedError, match="which no checkpoint covers") as caught:
        verify(str(ledger), checkpoints=signed)
    assert (caught.value.damage, caught.value.seq) == (Damage.MISSING, 1)
    assert auditor(ledger, key, signed).startswith("damaged: missing at entry 1, ")


def test_a_line_that_is_being_written_is_no_damage_to_the_auditor_either(
    ledger: Path, key: Path
) -> None:
    with ledgers.segment(ledger, 21).open("ab") as last:
        last.write(b'{"seq":31,"prev"')

    assert auditor(ledger, key, []).startswith("sound: 30 ")
    assert verify(str(ledger)).unfinished_bytes == 16


@by_name
@pytest.mark.parametrize("processes", [1, 2])
def test_each_tampering_is_told_with_its_kind_its_place_and_what_is_left(
    ledger: Path, key: Path, one: Tampering, processes: int, form: Callable[[Path], None]
) -> None:
    signed = tampering.sign(ledger, checkpoints.key(key))
    one.apply(ledger)
    form(ledger)

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
def test_an_auditor_without_our_code_comes_to_the_same_verdict(
    ledger: Path, key: Path, one: Tampering, form: Callable[[Path], None]
) -> None:
    signed = tampering.sign(ledger, checkpoints.key(key))
    one.apply(ledger)
    form(ledger)

    verdict = auditor(ledger, key, signed)

    assert verdict.startswith(
        f"damaged: {one.damage} at entry {one.seq}, "
        f"trusted through {one.trusted_with_checkpoints}: "
    )
    alone = auditor(ledger, key, [])
    if one.needs_checkpoints:
        assert alone.startswith("sound: ")
    else:
        assert alone.startswith(
            f"damaged: {one.damage} at entry {one.seq}, trusted through {one.trusted_through}: "
        )


@pytest.mark.parametrize("damage", ["a byte changed", "cut", "bytes behind it"])
def test_a_damaged_frame_is_no_entry_to_either(ledger: Path, key: Path, damage: str) -> None:
    tampering.compress(ledger)
    frame = ledger / "00000000000000000011.jsonl.zst"
    data = bytearray(frame.read_bytes())
    data[len(data) // 2] ^= 0x40 if damage == "a byte changed" else 0
    frame.write_bytes(
        data[:-20] if damage == "cut" else data + (b"x" if damage == "bytes behind it" else b"")
    )

    with pytest.raises(LedgerDamagedError) as caught:
        verify(str(ledger))

    assert caught.value.damage is Damage.NOT_AN_ENTRY
    assert 11 <= caught.value.seq <= 21
    assert auditor(ledger, key, []).startswith("damaged: not_an_entry at entry ")


def test_the_auditor_refuses_a_checkpoint_of_another_key(
    ledger: Path, key: Path, tmp_path: Path
) -> None:
    checkpoints.key(tmp_path / "other")
    signed = tampering.sign(ledger, checkpoints.key(key))

    assert auditor(ledger, tmp_path / "other", signed).startswith("cannot tell: not signed by ")


def test_the_auditors_file_is_short_and_needs_nothing_but_python() -> None:
    text = AUDITOR.read_text()
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))

    assert len(text.splitlines()) < 330
    assert imported <= sys.stdlib_module_names
    ast.parse(text, feature_version=(3, 9))


def auditor(ledger: Path, key: Path, signed: Sequence[Checkpoint]) -> str:
    """What the verifier that shares no code with us says, and that its exit status agrees."""
    file = ledger.parent / "signed"
    file.write_text("".join(one.line for one in signed))
    more = [str(file), f"{key}.pub"] if signed else []
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(AUDITOR), str(ledger), *more],
        capture_output=True,
        text=True,
        check=False,
    )
    word = {0: "sound", 1: "damaged", 3: "cannot"}[done.returncode]
    told = done.stdout or done.stderr
    assert told.startswith(word), done.stderr
    return told


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
