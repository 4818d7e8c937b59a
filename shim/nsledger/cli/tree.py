"""`nsledger tree`: the options; what it does is in `branching`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
Show how the pid and user namespaces of this node are nested, and which pods are in them.

The kernel tells the parent of a namespace of these two types, and the user namespace that owns it;
the ledger tells the pods and containers. Each namespace is listed with the processes that are in it
and in none below. What may not be looked at is counted; that needs root.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.branching import branching  # noqa: PLC0415 - `--help` needs no ledger

    return branching(**values)


command = click.Command(
    "tree",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger tree", "nsledger tree --type user -o json"),
    params=[
        click.Option(
            ["--type"],
            type=click.Choice(["user", "pid"]),
            multiple=True,
            default=["user", "pid"],
            show_default=True,
            help="Only namespaces of this type.",
        ),
        options.output(("table", "json", "yaml")),
        options.color(),
        options.ledger(),
    ],
)
