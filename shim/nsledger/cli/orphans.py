"""`nsledger orphans`: the options; what it does is in `orphaned`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options

_HELP = """\
List namespaces of this node that are kept alive without a process in them.

A bind mount (a leaked /run/netns/cni-…) or an open descriptor keeps a namespace after its last
process. For each one: what keeps it, who had it last by the record, and for how long nobody has.
Nothing is deleted.

It looks at the mounts of its own mount namespace and at the descriptors of all processes, which
needs root; what it may not look at is counted.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.orphaned import orphaned  # noqa: PLC0415 - `--help` needs no ledger

    return orphaned(**values)


command = click.Command(
    "orphans",
    callback=_run,
    help=_HELP,
    epilog=options.epilog("nsledger orphans", "nsledger orphans -o json"),
    params=[
        options.output(("table", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
