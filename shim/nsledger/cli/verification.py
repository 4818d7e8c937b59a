"""What `nsledger verify` does: walks, shows progress if it takes long, and says what it found."""

from __future__ import annotations

import sys
from typing import Final, Literal, assert_never

import click

from nsledger.cli import exit_codes
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.ledger import place
from nsledger.ledger.verify import LedgerDamagedError, Verified, verify
from nsledger.report import verification_text
from nsledger.report.structured import to_json, to_yaml
from nsledger.report.verification import Verification

_LONG_BYTES: Final = 64 << 20
"""A walk over less is done before a bar could be read."""


@reading_a_ledger()
def verification(
    *, ledger: str, output: Literal["text", "json", "yaml"], color: ColorChoice
) -> int:
    """Verify the ledger at `ledger`; the exit status."""
    try:
        found = Verification.of_sound(ledger, _walk(ledger))
    except LedgerDamagedError as damage:
        found = Verification.of_damaged(ledger, damage, before=place.find(ledger).before)
    match output:
        case "text":
            write_lines(verification_text.draw(found, screen(color=color, utc=True)))
        case "json":
            sys.stdout.write(to_json(found))
        case "yaml":
            sys.stdout.write(to_yaml(found))
        case _:
            assert_never(output)
    return exit_codes.OK if found.sound else exit_codes.FOUND


def _walk(ledger: str) -> Verified:
    size_bytes = place.find(ledger).size_bytes
    if size_bytes < _LONG_BYTES or not sys.stderr.isatty():
        return verify(ledger)
    with click.progressbar(
        length=size_bytes, label="verifying", file=sys.stderr, show_pos=False, width=0
    ) as bar:
        return verify(ledger, progress=bar.update)
