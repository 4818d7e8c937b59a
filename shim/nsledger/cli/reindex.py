"""`nsledger reindex`: the options; what it does is in `reindexing`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
Build the index of the ledger anew.

The index is what makes whois quick. It can be deleted at any time: nsledger serve keeps one in the
ledger's directory, and a reader without one builds its own. An answer is always made from the
ledger's entries, read and hashed again; the index only tells which of them count.

While nsledger serve runs, it is told to begin again, and the progress shown is its own.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.reindexing import reindexing  # noqa: PLC0415 - `--help` needs no ledger

    return reindexing(**values)


command = click.Command(
    "reindex",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger reindex"),
    params=[options.ledger()],
)
