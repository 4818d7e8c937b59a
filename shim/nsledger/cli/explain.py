"""`nsledger explain`: the options; what it does is in `explaining`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options
from nsledger.cli.moment import IN_HELP

_HELP = """\
Say in plain sentences who shares which namespace in POD, and why.

POD is what `nsledger show` takes. With TYPE (net, ipc, uts, pid, mnt, user, cgroup, time; several
may be given) only these are explained; with --container only what is about that container.

Each sentence names the processes, how the runtime put them there, what CRI asked for, and the
records that show it. That some share a namespace is only said if the kernel's numbers show it, and
a cause only where the layers were compared and agree. Where they disagree, where a process moved
since it started, and what nobody could see, that is said.

The signs: ▲ the host's, ≠ layers disagree, * changed since the start, ? not known.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.explaining import explaining  # noqa: PLC0415 - `--help` needs no ledger

    return explaining(**values)


command = click.Command(
    "explain",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger explain web",
        "nsledger explain web pid",
        "nsledger explain default/debug net ipc --container tracer",
        "nsledger explain web user --at 2026-11-24T00:04:00Z",
        "nsledger explain kube-system/node-agent-x7k2p -o json",
        more=IN_HELP,
    ),
    params=[
        click.Argument(["pod"]),
        click.Argument(["types"], metavar="[TYPE]...", type=click.Choice(options.TYPES), nargs=-1),
        click.Option(
            ["-c", "--container", "containers"],
            multiple=True,
            metavar="NAME",
            help="Only what is about this container; may be given again.",
        ),
        options.at("The pod as it was then."),
        click.Option(
            ["-a", "--all", "all_attempts"],
            is_flag=True,
            help="Earlier attempts of restarted containers too.",
        ),
        options.output(("text", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
