"""`nsledger whois`: the options; what it does is in `asking`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options
from nsledger.cli.moment import IN_HELP

_HELP = """\
Tell whose namespace X is, or was.

X is a namespace as the kernel writes it (net:[4026532257]), a bare inode, a 64-bit namespace id, a
pid on this node, or /proc/PID/ns/TYPE. ino:N, id:N and pid:N say which kind of number is meant.

The kernel gives a freed inode to the next namespace at once, so without --at the answer is every
owner there was, each with its time and the records that prove it. Where the record does not tell,
the answer is unknown, with the reason; it is never a guess.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.asking import asking  # noqa: PLC0415 - `--help` needs no ledger

    return asking(**values)


command = click.Command(
    "whois",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger whois net:[4026532257]",
        "nsledger whois 4026532257 --at '2026-11-24 00:04:00' --utc",
        "nsledger whois pid:18477",
        "nsledger whois /proc/18477/ns/net -o json",
        more=IN_HELP,
    ),
    params=[
        click.Argument(["x"], metavar="X"),
        options.at("Whose it was then."),
        options.output(("table", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
