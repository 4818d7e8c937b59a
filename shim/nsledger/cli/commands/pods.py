"""`nsledger pods`: list the pods with the host's namespaces that they use."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Literal, assert_never

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import ColorChoice, screen, write_lines
from nsledger.cli.reading import folded, reading_a_ledger
from nsledger.errors import WrongUsageError
from nsledger.ledger import place
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.render.json_yaml import to_json, to_yaml
from nsledger.render.pods import draw_pod_table, draw_unwatched
from nsledger.render.text import Screen, visible
from nsledger.state.matrix import pod_matrix
from nsledger.state.past import Past
from nsledger.state.pod_summary import PodFilter, PodLine, pod_lines

_SHARINGS = ("host", "pod", "container", "private", "unknown")
_VERDICTS = ("match", "mismatch", "not_requested", "unobservable")

_HELP = """\
List the pods on this node, with the host's namespaces that they use and their verdict.

Those that run are listed, with -a those that are gone too; with --at those that ran then.

-n is kubectl's flag and means the same here: the part of the cluster that a pod is in. Everywhere
else in nsledger a namespace is the kernel's. With --watch each change adds the pod's new line.

--sharing and --verdict list the pods of which any process, in any of the types given with --type,
is so. With --type, nothing is said of the other types.
"""


Output = Literal["table", "wide", "json", "yaml", "name"]
_LOOK_AGAIN_S: Final = 1.0


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
    watch: bool,
    no_headers: bool,
    output: Output,
    utc: bool,
    color: ColorChoice,
) -> int:
    """List the pods of the ledger at `ledger`; the exit status."""
    if watch and (at is not None or output in {"json", "yaml"}):
        raise WrongUsageError("--watch goes on from now, as a table or as names")
    wanted = PodFilter(
        k8s_namespaces=k8s_namespaces,
        types=[NamespaceType(one) for one in types],
        sharings=sharings,
        verdicts=[Verdict(one) for one in verdicts],
        ended=ended,
    )
    drawn_for = screen(color=color, utc=utc)
    then, lines = _lines(ledger, at, wanted)
    match output:
        case "table" | "wide":
            if not no_headers:
                write_lines(draw_unwatched(then.unwatched, drawn_for))
            write_lines(
                draw_pod_table(
                    lines,
                    drawn_for,
                    types=wanted.types,
                    wide=output == "wide",
                    headers=not no_headers,
                    cgroup_version=then.workloads.cgroup_version,
                )
            )
            if not lines:
                on_record = sum(1 for id_ in then.workloads.pods if id_)
                sys.stderr.write(f"no such pod among the {on_record} on record\n")
        case "json":
            sys.stdout.write(to_json(lines))
        case "yaml":
            sys.stdout.write(to_yaml(lines))
        case "name":
            write_lines(visible(line.pod.full_name) for line in lines)
        case _:
            assert_never(output)
    if watch:
        _watch(ledger, wanted, lines, drawn_for, output)
    bad = any(line.verdict is Verdict.MISMATCH or line.changed for line in lines)
    return exit_codes.FOUND if bad else exit_codes.OK


def _lines(ledger: str, at: int | None, wanted: PodFilter) -> tuple[Past, list[PodLine]]:
    then = folded(ledger, at)
    pods = [pod for id_, pod in then.workloads.pods.items() if id_]
    return then, pod_lines((pod_matrix(pod, then.workloads.host) for pod in pods), wanted)


def _watch(
    ledger: str, wanted: PodFilter, lines: list[PodLine], drawn_for: Screen, output: Output
) -> None:
    """Write a line for each pod that changes, and a last one for each that ends."""
    shown = {line.pod.pod_sandbox_id: line for line in lines}
    size_bytes = place.find(ledger).size_bytes
    while True:
        sys.stdout.flush()
        time.sleep(_LOOK_AGAIN_S)
        if place.find(ledger).size_bytes == size_bytes:
            continue
        size_bytes = place.find(ledger).size_bytes
        then, now = _lines(ledger, None, replace(wanted, ended=True))
        changed = [
            line
            for line in now
            if line != shown.get(line.pod.pod_sandbox_id)
            and (wanted.ended or line.state != "ended" or line.pod.pod_sandbox_id in shown)
        ]
        shown |= {line.pod.pod_sandbox_id: line for line in changed}
        if output == "name":
            write_lines(visible(line.pod.full_name) for line in changed)
            continue
        drawn = draw_pod_table(
            changed,
            drawn_for,
            types=wanted.types,
            wide=output == "wide",
            headers=False,
            cgroup_version=then.workloads.cgroup_version,
        )
        write_lines(drawn)


command = click.Command(
    "pods",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger pods",
        "nsledger pods -n kube-system -o wide",
        "nsledger pods --no-headers | awk '{print $1}'",
        "nsledger pods --sharing host --type net --type pid",
        "nsledger pods --verdict mismatch -o name",
        "nsledger pods -a --at 2026-11-24T00:04:18Z -o json",
        more=IN_HELP,
    ),
    params=[
        options.k8s_namespaces(),
        options.all_k8s_namespaces(),
        options.selector(),
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
        click.Option(
            ["-w", "--watch"], is_flag=True, help="Go on: a line for each pod that changes."
        ),
        options.no_headers(),
        options.output(("table", "wide", "json", "yaml", "name")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
