"""`nsledger show`: show which namespaces a pod's containers share, type by type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import matrix_of, reading
from nsledger.render import layers, pods
from nsledger.render import matrix as matrix_table

_HELP = """\
Show which Linux namespaces the containers of POD share, type by type.

POD is a name, k8s_namespace/name, a uid, or the first characters of a pod's or container's id. Of
several sandboxes of one pod the living one is shown, else the newest.

Each cell says whose namespace it is (the host's, the pod's, another container's, private) and its
inode. Cells with the same letter are one namespace. -o wide tells the three layers apart: what CRI
requested, what the OCI spec assigned, and what the kernel says the process actually has.

With --at it is the pod as it was then. In a time when nobody watched that is said, with what was so
before; of a time before the first record nothing can be told.
"""


def run(
    *,
    ledger: str,
    pod: str,
    at: int | None,
    all_attempts: bool,
    output: Literal["table", "wide", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Show `pod` as the ledger at `ledger` knows it; the exit status."""
    with reading(ledger) as found:
        matrix = matrix_of(found, pod, at, all_attempts=all_attempts)

    def draw() -> Iterator[str]:
        drawn_for = screen(color=color, utc=utc)
        yield from pods.draw_pod_heading(matrix, drawn_for)
        yield ""
        tables = layers if output == "wide" else matrix_table
        yield from tables.draw(matrix, drawn_for)

    write_answer(matrix, output, draw)
    bad = any(matrix.mismatches()) or any(matrix.changes())
    return found.status(exit_codes.FOUND if bad else exit_codes.OK)


command = click.Command(
    "show",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger show web",
        "nsledger show kube-system/node-agent-x7k2p -o wide",
        "nsledger show web --at 2026-11-24T00:04:00Z",
        "nsledger show web -o json | python3 -m json.tool --no-indent",
        more=IN_HELP,
    ),
    params=[
        click.Argument(["pod"], shell_complete=options.complete_pods),
        options.at("The pod as it was then."),
        click.Option(
            ["-a", "--all", "all_attempts"],
            is_flag=True,
            help="Earlier attempts of restarted containers too.",
        ),
        options.output(("table", "wide", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
