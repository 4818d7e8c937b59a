"""`nsledger doctor`: the options; what it does is in `examination`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli import options as node_options
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cri.client import RuntimeClient
from nsledger.errors import NsledgerError
from nsledger.ledger.reader import entries_backwards
from nsledger.model.instants import unix_ns
from nsledger.model.record import decode
from nsledger.node.containerd_plan import Containerd
from nsledger.node.doctor.context import Asking, CheckContext
from nsledger.node.doctor.examine import examine
from nsledger.node.doctor.outcome import Result
from nsledger.node.doctor.purposes import PURPOSES
from nsledger.node.proof import require_records_of_a_pod
from nsledger.node.root import Host
from nsledger.render import doctor_table

_HELP = """\
Tell what is wrong with nsledger on this node, and what to do about it.

Each check is told with what was seen and, where something has to be done, the remedy. Nothing is
changed and, without --probe, nothing started. Without root it looks as far as it can and says what
it could not see.
"""

_CHECKS = "\n".join(f"  {name}" for name in PURPOSES)


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option

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

_CALL_LIMIT_S: Final = 5.0


def examination(
    *,
    output: Literal["table", "json", "yaml"],
    color: ColorChoice,
    only: Sequence[str],
    skip: Sequence[str],
    probe: bool,
    root: str,
    containerd: str,
    containerd_config: str,
) -> int:
    """Look at the node; the exit status."""
    asking = Asking(
        runtime_version=_runtime_version,
        last_record_ns=_last_record_ns,
        run_probe=_run_probe if probe else None,
    )
    context = CheckContext(Host.at(root), asking, program=containerd, main=containerd_config)
    found = list(examine(context, only=only, skip=skip))
    rows = [
        doctor_table.Row(one.check, one.result.value, one.evidence, one.remedy) for one in found
    ]
    write_answer(found, output, lambda: doctor_table.draw(rows, screen(color=color, utc=True)))
    bad = any(one.result is Result.FAILED for one in found)
    return exit_codes.FOUND if bad else exit_codes.OK


def _runtime_version(socket: str) -> tuple[str, str]:
    with RuntimeClient(socket, timeout_s=_CALL_LIMIT_S) as client:
        version = client.version()
    return version.name, version.version


def _last_record_ns(ledger: str) -> int | None:
    try:
        last = next(entries_backwards(ledger), None)
    except NsledgerError:
        # Whether it is sound is what `nsledger verify` says.
        return None
    except FileNotFoundError:
        return None
    return None if last is None else unix_ns(decode(last.line).time)


def _run_probe(containerd: Containerd, socket: str, ledger: str) -> None:
    require_records_of_a_pod(containerd.configuration, socket=socket, ledger=ledger)
