"""`nsledger explain`: say in plain sentences who shares what in a pod, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import matrix_of, reading
from nsledger.errors import WrongUsageError
from nsledger.model.namespaces import NamespaceType
from nsledger.render import explanation_text, pods
from nsledger.render.explanation import explain
from nsledger.state.matrix import ORDER, Matrix

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


def run(
    *,
    ledger: str,
    pod: str,
    types: Sequence[str],
    containers: Sequence[str],
    at: int | None,
    all_attempts: bool,
    output: Literal["text", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Explain `pod` by the ledger at `ledger`; the exit status."""
    with reading(ledger) as found:
        matrix = matrix_of(found, pod, at, all_attempts=all_attempts)
    _need_containers(matrix, containers)
    wanted = [type_ for type_ in ORDER if type_ in {NamespaceType(one) for one in types}] or ORDER
    explanation = explain(matrix, wanted, containers)

    def draw() -> Iterator[str]:
        drawn_for = screen(color=color, utc=utc)
        yield from pods.draw_pod_heading(matrix, drawn_for)
        yield ""
        yield from explanation_text.draw(explanation, drawn_for)

    write_answer(explanation, output, draw)
    return found.status(exit_codes.FOUND if explanation.bad_news else exit_codes.OK)


def _need_containers(matrix: Matrix, containers: Sequence[str]) -> None:
    there = list(dict.fromkeys(process.name for process in matrix.processes))
    for name in containers:
        if name not in there:
            raise WrongUsageError(f"no container {name!r} in {matrix.pod.full_name}", details=there)


command = click.Command(
    "explain",
    callback=run,
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
        click.Argument(["pod"], shell_complete=options.complete_pods),
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
