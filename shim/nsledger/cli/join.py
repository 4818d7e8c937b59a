"""`nsledger join`: the options; what it does is in `joining`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
Add pod and container to JSON lines of other tools, by namespace and time.

Reads events on standard input, one JSON object a line, as Tetragon, Inspektor Gadget, Tracee and
Falco write them, and writes them with one more key, nsledger: whose it was at the time of the
event, by which value of it, or why that is unknown. --key names the value in other events: an
inode, a namespace id, or anything that whois takes.

A line that is no JSON object goes through as it is, with a note on standard error.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.joining import joining  # noqa: PLC0415 - `--help` needs no ledger

    return joining(**values)


command = click.Command(
    "join",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "echo '{\"mntns_id\": 4026532261}' | nsledger join",
        'echo \'{"ns": "net:[4026532257]"}\' | nsledger join --key ns',
    ),
    params=[
        click.Option(["--key"], metavar="KEY", help="Where the namespace is, as a.b.c."),
        click.Option(["--time-key"], metavar="KEY", help="Where the time is, as a.b.c."),
        options.ledger(),
    ],
)
