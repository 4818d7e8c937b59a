"""`nsledger pods`: list the pods with the host's namespaces that they use."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, assert_never

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import ColorChoice, screen, write_lines
from nsledger.cli.reading import folded, reading_a_ledger
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.render import pods as pod_table
from nsledger.render import pods as unwatched_text
from nsledger.render.json_yaml import to_json, to_yaml
from nsledger.render.text import visible
from nsledger.state.matrix import pod_matrix
from nsledger.state.pod_summary import PodFilter, pod_lines

_SHARINGS = ("host", "pod", "container", "private", "unknown")
_VERDICTS = ("match", "mismatch", "not_requested", "unobservable")

_HELP = """\
List the pods on this node, with the host's namespaces that they use and their verdict.

Those that run are listed, with -a those that are gone too; with --at those that ran then.

-n is kubectl's flag, since it means the same here: the part of the cluster that a pod is in. Its
long form is --k8s-namespace and not --namespace, because in all of nsledger a namespace is the
kernel's.

--sharing and --verdict list the pods of which any process, in any of the types given with --type,
is so. With --type, nothing is said of the other types.
"""


@reading_a_ledger()
def run(
    *,
    ledger: str,
    k8s_namespaces: Sequence[str],
    types: Sequence[str],
    sharings: Sequence[str],
    verdicts: Sequence[str],
    ended: bool,
    at: int | None,
    output: Literal["table", "wide", "json", "yaml", "name"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """List the pods of the ledger at `ledger`; the exit status."""
    then = folded(ledger, at)
    wanted = PodFilter(
        k8s_namespaces=k8s_namespaces,
        types=[NamespaceType(one) for one in types],
        sharings=sharings,
        verdicts=[Verdict(one) for one in verdicts],
        ended=ended,
    )
    pods = [pod for id_, pod in then.workloads.pods.items() if id_]
    lines = pod_lines((pod_matrix(pod, then.workloads.host) for pod in pods), wanted)
    match output:
        case "table" | "wide":
            drawn_for = screen(color=color, utc=utc)
            write_lines(unwatched_text.draw_unwatched(then.unwatched, drawn_for))
            write_lines(
                pod_table.draw_pod_table(
                    lines, drawn_for, types=wanted.types, wide=output == "wide"
                )
            )
            if not lines:
                sys.stderr.write(f"no such pod among the {len(pods)} on record\n")
        case "json":
            sys.stdout.write(to_json(lines))
        case "yaml":
            sys.stdout.write(to_yaml(lines))
        case "name":
            write_lines(visible(line.pod.full_name) for line in lines)
        case _:
            assert_never(output)
    bad = any(line.verdict is Verdict.MISMATCH or line.changed for line in lines)
    return exit_codes.FOUND if bad else exit_codes.OK


command = click.Command(
    "pods",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger pods",
        "nsledger pods -n kube-system -o wide",
        "nsledger pods --sharing host --type net --type pid",
        "nsledger pods --verdict mismatch -o name",
        "nsledger pods -a --at 2026-11-24T00:04:18Z -o json",
        more=IN_HELP,
    ),
    params=[
        options.k8s_namespaces(),
        options.types("Only look at this type of Linux namespace; may be given again."),
        click.Option(
            ["--sharing", "sharings"],
            multiple=True,
            type=click.Choice(_SHARINGS),
            help="Only pods with a process in such a namespace; may be given again.",
        ),
        click.Option(
            ["--verdict", "verdicts"],
            multiple=True,
            type=click.Choice(_VERDICTS),
            help="Only pods with a process of this verdict; may be given again.",
        ),
        options.ended(),
        options.at("The pods that ran then."),
        options.output(("table", "wide", "json", "yaml", "name")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
