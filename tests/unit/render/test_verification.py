from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from nsledger.ledger.errors import LedgerDamagedError
from nsledger.ledger.line import GENESIS
from nsledger.ledger.verify import verify
from nsledger.render.text import Screen
from nsledger.render.verification import Verification, draw
from tests import ledgers

NOT_ANCHORED = "  anchor   consistent, not anchored: a cut at the end would not show"


def of(directory: Path) -> Verification:
    try:
        return Verification.of_sound("LEDGER", verify(str(directory)))
    except LedgerDamagedError as error:
        return Verification.of_damaged("LEDGER", error, before=GENESIS)


def drawn(directory: Path) -> list[str]:
    return [line.replace(str(directory), "DIR") for line in draw(of(directory), Screen())]


def test_a_sound_ledger_is_told_with_the_head_to_keep(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 11))
    found = of(tmp_path)

    assert found.head is not None
    assert drawn(tmp_path) == [
        "LEDGER: sound",
        "  entries  1 to 10",
        NOT_ANCHORED,
        f"  head     10 {found.head.digest}",
    ]
    assert not found.anchored


@pytest.mark.parametrize(("through", "anchored"), [(0, False), (7, True)])
def test_a_checkpoint_anchors_what_it_covers(
    tmp_path: Path, through: int, *, anchored: bool
) -> None:
    ledgers.write(tmp_path, range(1, 11))
    verified = dataclasses.replace(verify(str(tmp_path)), signed_through=through)

    found = Verification.of_sound("x", verified, signed=True)

    assert found.anchored is anchored
    assert (NOT_ANCHORED in list(draw(found, Screen()))) is not anchored


def test_damage_is_told_with_its_place_and_what_can_still_be_trusted(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 11))
    lines = ledgers.lines(tmp_path)
    ledgers.replace(tmp_path, [*lines[:5], *lines[6:]])

    assert drawn(tmp_path) == [
        "LEDGER: damaged at entry 6",
        "  kind     missing",
        "  where    DIR/00000000000000000001.jsonl, line 6",
        "  detail   found entry 7 in its place",
        "  trusted  entries 1 to 4; nothing is said of later ones",
    ]


def test_where_nothing_can_be_trusted_it_says_so(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 4))
    ledgers.replace(tmp_path, [b"{}\n"])

    assert drawn(tmp_path)[-1] == "  trusted  no entry"


def test_an_empty_ledger_is_sound_and_an_unfinished_line_is_no_damage(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [])
    assert drawn(tmp_path) == ["LEDGER: sound", "  entries  none yet"]

    ledgers.write(tmp_path, [1])
    with ledgers.segment(tmp_path).open("ab") as segment:
        segment.write(b'{"seq":2')
    assert drawn(tmp_path)[-1] == "  note     8 bytes of an unfinished line at the end"


def test_of_a_later_segment_it_says_what_it_did_not_see(tmp_path: Path) -> None:
    ledgers.write(tmp_path, range(1, 11))
    copy = tmp_path / "copy"
    copy.write_bytes(b"".join(ledgers.lines(tmp_path)[4:]))

    assert drawn(copy)[1:] == [
        "  entries  5 to 10",
        *drawn(tmp_path)[2:4],
        "  note     begins at entry 5: what came before is not here",
    ]


def test_a_hostile_path_is_inert(tmp_path: Path) -> None:
    ledgers.write(tmp_path, [1])
    found = Verification.of_sound("\x1b[2J\n", verify(str(tmp_path)))

    assert next(draw(found, Screen())) == "\\x1b[2J\\n: sound"
