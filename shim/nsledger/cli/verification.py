"""What `nsledger verify` does: walks, shows progress if it takes long, and says what it found."""

from __future__ import annotations

import sys
from typing import Final, Literal

import click

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.reading import reading_a_ledger, reading_checkpoints
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.ledger import checkpoint_file, place
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import VerifyingKey
from nsledger.ledger.damage import LedgerDamagedError
from nsledger.ledger.parallel import useful_processes
from nsledger.ledger.verify import Verified, verify
from nsledger.report import verification_text
from nsledger.report.verification import Verification

_LONG_BYTES: Final = 64 << 20
"""A walk over less is done before a bar could be read."""


@reading_a_ledger()
def verification(
    *,
    ledger: str,
    checkpoint: str | None,
    key: str | None,
    output: Literal["text", "json", "yaml"],
    color: ColorChoice,
) -> int:
    """Verify the ledger at `ledger`; the exit status."""
    # First the checkpoints, then the ledger: it may grow in between, never the other way round.
    checkpoints = _signed(checkpoint, key) if checkpoint and key else ()
    signed = bool(checkpoints)
    try:
        found = Verification.of_sound(ledger, _walk(ledger, checkpoints), signed=signed)
    except LedgerDamagedError as damage:
        before = place.find(ledger).before
        found = Verification.of_damaged(ledger, damage, before=before, signed=signed)
    write_answer(
        found, output, lambda: verification_text.draw(found, screen(color=color, utc=True))
    )
    return exit_codes.OK if found.sound else exit_codes.FOUND


def _signed(path: str, key_path: str) -> tuple[Checkpoint, ...]:
    """The checkpoints in the file, each of which the key has signed."""
    with reading_checkpoints():
        key = VerifyingKey.load(key_path)
        checkpoints = checkpoint_file.read(path)
    for checkpoint in checkpoints:
        key.check(checkpoint)
    return checkpoints


def _walk(ledger: str, checkpoints: tuple[Checkpoint, ...]) -> Verified:
    size_bytes = place.find(ledger).size_bytes
    processes = useful_processes(size_bytes)
    if size_bytes < _LONG_BYTES or not sys.stderr.isatty():
        return verify(ledger, checkpoints=checkpoints, processes=processes)
    with click.progressbar(
        length=size_bytes, label="verifying", file=sys.stderr, show_pos=False, width=0
    ) as bar:
        return verify(ledger, checkpoints=checkpoints, progress=bar.update, processes=processes)
