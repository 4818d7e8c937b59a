"""`nsledger doctor`: the options; what it does is in `examination`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import exit_codes, node_options, options
from nsledger.node.doctor.purposes import PURPOSES

_HELP = """\
Tell what is wrong with nsledger on this node, and what to do about it.

Each check is told with what was seen and, where something has to be done, the remedy. Nothing is
changed and, without --probe, nothing started. Without root it looks as far as it can and says what
it could not see.
"""

_CHECKS = "\n".join(f"  {name}" for name in PURPOSES)


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.examination import examination  # noqa: PLC0415 - `--help` looks at no node

    return examination(**values)


def _checks(flag: str, text: str) -> click.Option:
    choice = click.Choice(list(PURPOSES))
    return click.Option([flag], type=choice, metavar="CHECK", multiple=True, help=text)


command = click.Command(
    "doctor",
    callback=_run,
    help=_HELP,
    epilog=f"""\b
Examples:
  nsledger doctor
  nsledger doctor --only handlers --only annotations
  nsledger doctor --probe -o json

\b
Checks, in their order:
{_CHECKS}

"""
    + exit_codes.OF_CHECKS,
    params=[
        options.output(("table", "json", "yaml")),
        options.color(),
        _checks("--only", "This check alone; may be given more than once."),
        _checks("--skip", "Not this check; may be given more than once."),
        click.Option(
            ["--probe"], is_flag=True, help="Start a throw-away pod, and look for its records."
        ),
        node_options.root(),
        node_options.containerd(),
        node_options.containerd_config(),
    ],
)
