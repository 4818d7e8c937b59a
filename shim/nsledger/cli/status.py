"""`nsledger status`: the options; what it does is in `standing`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
Tell how the ledger is: who writes it, what is in it, and how much room it has.

Bad news (exit status 1) is a disk that is nearly full, a ledger that stopped because of it, a gap
recorded in the last 24 hours, and files that were moved aside in the spool. That no daemon writes
the ledger is said, and is no bad news by itself: it may be a copy.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.standing import standing  # noqa: PLC0415 - `--help` needs no ledger

    return standing(**values)


command = click.Command(
    "status",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger status", "nsledger status -o json"),
    params=[
        click.Option(
            ["--config"],
            type=click.Path(dir_okay=False),
            metavar="FILE",
            envvar="NSLEDGER_CONFIG",
            help="What `nsledger serve` is told: where its spool is, and what is little room.",
        ),
        options.output(("text", "json", "yaml")),
        options.color(),
        options.utc(),
        options.ledger(),
    ],
)
