"""`nsledger verify`: check that nothing on record was changed or taken out."""

from __future__ import annotations

import sys
from typing import Final, Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import reading_a_ledger, reading_checkpoints
from nsledger.ledger import checkpoint_file, place
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import VerifyingKey
from nsledger.ledger.errors import LedgerDamagedError
from nsledger.ledger.verify import Verified, useful_processes, verify
from nsledger.render import verification as verification_text
from nsledger.render.verification import Verification

_HELP = """\
Check that nothing on record was changed, taken out, put in or moved.

Walks the whole ledger: each entry holds the SHA-256 of the line before it and the next number. The
ledger may be in use, or be a copy; of a lone later segment, what came before has to be believed.

A chain alone cannot show a tail that was cut off, an older copy put back, or entries rewritten and
hashed again to the end. Checkpoints that were kept elsewhere do: lines that `nsledger serve` signs
and writes to its checkpoint_file and its log. --checkpoint holds the ledger against them; they must
all be of this ledger. FILE holds such lines, or JSON lines of which some have the key checkpoint:
the daemon's log, and what `nsledger log --checkpoints` exports.
"""


_LONG_BYTES: Final = 64 << 20
"""A walk over less is done before a bar could be read."""


@reading_a_ledger()
def run(
    *,
    ledger: str,
    checkpoint: str | None,
    key: str | None,
    output: Literal["text", "json", "yaml"],
    color: ColorChoice,
) -> int:
    """Verify the ledger at `ledger`; the exit status."""
    if (checkpoint is None) != (key is None):
        raise click.UsageError("--checkpoint and --key belong together: a file and who signed it.")
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


command = click.Command(
    "verify",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger verify",
        "nsledger verify -o json",
        "nsledger verify --checkpoint checkpoints --key checkpoint.key.pub",
        'nsledger verify --ledger "$NSLEDGER_LEDGER/00000000000000000001.jsonl"',
    ),
    params=[
        click.Option(
            ["--checkpoint"],
            metavar="FILE",
            help="Signed checkpoints that the ledger must agree with; - is standard input.",
        ),
        click.Option(
            ["--key"],
            metavar="PUB",
            help="The public key that signed them: `nsledger keygen` made it.",
        ),
        options.output(("text", "json", "yaml")),
        options.color(),
        options.ledger(),
    ],
)
