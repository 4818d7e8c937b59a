"""`nsledger uninstall`: the options; what it does is in `installation`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import exit_codes, options

_HELP = """\
Take nsledger off this node: the configuration first, then the files that it named.

Every file is what it was before `nsledger install`, byte for byte; a file that was edited since
loses our values only, also where another program copied them. Nothing is deleted before containerd
itself says that nothing in force names it, and the kubelet is connected past nsledger. A step that
fails puts all of nsledger back. The ledger stays, unless --purge.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.installation import uninstall  # noqa: PLC0415 - `--help` looks at no node

    return uninstall(**values)


command = click.Command(
    "uninstall",
    callback=_run,
    help=_HELP,
    epilog="""\b
Examples:
  nsledger uninstall
  nsledger uninstall --purge

"""
    + exit_codes.OF_CHANGES,
    params=[
        click.Option(["--purge"], is_flag=True, help="Delete the ledger and the spool too."),
        options.root(),
        options.containerd(""),
        options.containerd_config(),
        options.output(("text", "json")),
    ],
)
