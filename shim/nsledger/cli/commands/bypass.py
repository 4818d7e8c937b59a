"""`nsledger bypass`: the options; what it does is in `installation`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import exit_codes, options

_HELP = """\
Send the kubelet back to the container runtime's own socket, in one step.

For the day on which the shim is in the way: the kubelet's configuration is what it was before
`nsledger install`, and the kubelet is restarted. Pods go on. The hook goes on recording; what the
kubelet asks for is not on record until `nsledger bypass --back`.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.installation import bypass  # noqa: PLC0415 - `--help` looks at no node

    return bypass(**values)


command = click.Command(
    "bypass",
    callback=_run,
    help=_HELP,
    epilog="""\b
Examples:
  nsledger bypass
  nsledger bypass --back

"""
    + exit_codes.OF_CHANGES,
    params=[
        click.Option(["--back"], is_flag=True, help="Send the kubelet through the shim again."),
        options.root(),
        options.output(("text", "json")),
    ],
)
