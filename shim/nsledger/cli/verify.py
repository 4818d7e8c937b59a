"""`nsledger verify`: the options; what it does is in `verification`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

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


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.verification import verification  # noqa: PLC0415 - `--help` needs no ledger

    if (values["checkpoint"] is None) != (values["key"] is None):
        raise click.UsageError("--checkpoint and --key belong together: a file and who signed it.")
    return verification(**values)


command = click.Command(
    "verify",
    callback=_run,
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
