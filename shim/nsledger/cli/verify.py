"""`nsledger verify`: the options; what it does is in `verification`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
Check that nothing on record was changed, taken out, put in or moved.

Walks the whole ledger: each entry holds the SHA-256 of the line before it and the next number. The
ledger may be in use, or be a copy; of a lone later segment, what came before has to be believed.

What a chain alone cannot show: a tail that was cut off, or a ledger rewritten to its end by someone
with write access. Keep the head that this prints (number and digest) on another machine: a ledger
that no longer has it was rewritten.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.verification import verification  # noqa: PLC0415 - `--help` needs no ledger

    return verification(**values)


command = click.Command(
    "verify",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger verify",
        "nsledger verify -o json",
        'nsledger verify --ledger "$NSLEDGER_LEDGER/00000000000000000001.jsonl"',
    ),
    params=[options.output(("text", "json", "yaml")), options.color(), options.ledger()],
)
