"""`nsledger install`: the options; what it does is in `installation`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import exit_codes, options

_HELP = """\
Put nsledger on this node: the hook, the daemon, containerd's and the kubelet's configuration.

Reads what is in force, changes the least, and proves it before and after. Every change is written
down first, so that `nsledger uninstall` leaves each file byte for byte as it was. A step that fails
takes everything back. Run it again after an upgrade of nsledger or containerd: what is already as
it should be is left alone.
"""

_EPILOG = """\b
Examples:
  nsledger install --dry-run
  nsledger install
  nsledger install --only hook --only containerd
  nsledger install --root /mnt/image

\b
Parts, in their order:
  hook        the hook's own copy of its code, and the base runtime specs
  shim        the daemon's units
  containerd  each runc handler (or CRI-O's hooks.d), then a restart
  kubelet     its runtime endpoint, then a restart

"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.installation import install  # noqa: PLC0415 - `--help` looks at no node

    return install(**values)


command = click.Command(
    "install",
    callback=_run,
    help=_HELP,
    epilog=_EPILOG + exit_codes.OF_CHANGES,
    params=[
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="Print a summary, each diff and each command; touch nothing. Needs no root.",
        ),
        click.Option(["--full"], is_flag=True, help="With --dry-run: new files in full too."),
        options.only(),
        options.root(),
        options.containerd(),
        options.containerd_config(),
        click.Option(
            ["--probe/--no-probe"],
            default=True,
            show_default=True,
            help="Start a throw-away pod of each handler through the shim, and look for its "
            "records.",
        ),
        options.output(("text", "json")),
    ],
)
