"""`nsledger pods`: the options; what it does is in `listing_pods`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final, Literal, assert_never

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import ColorChoice, screen, write_lines
from nsledger.cli.reading import moment, reading
from nsledger.index.records import Records
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.render import pods as pod_table
from nsledger.render import pods as unwatched_text
from nsledger.render.json_yaml import to_json, to_yaml
from nsledger.render.text import visible
from nsledger.state.coverage import Unwatched
from nsledger.state.matrix import Matrix, pod_matrix
from nsledger.state.pod_summary import PodFilter, pod_lines

_PORTION: Final = 1000
"""Pods that are folded at once: a year's would be gigabytes."""
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


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option

    return listing_pods(**values)


command = click.Command(
    "pods",
    callback=_run,
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


def listing_pods(
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
    wanted = PodFilter(
        k8s_namespaces=k8s_namespaces,
        types=[NamespaceType(one) for one in types],
        sharings=sharings,
        verdicts=[Verdict(one) for one in verdicts],
        ended=ended,
    )
    with reading(ledger) as found:
        then = moment(found, at)
        matrices, unwatched = found.ask(lambda records: _matrices(records, then, ended=ended))
        lines = pod_lines(matrices, wanted)
        on_record = 0 if lines else found.ask(lambda records: _count(records, then))
    match output:
        case "table" | "wide":
            drawn_for = screen(color=color, utc=utc)
            write_lines(unwatched_text.draw_unwatched(unwatched, drawn_for))
            write_lines(
                pod_table.draw_pod_table(
                    lines, drawn_for, types=wanted.types, wide=output == "wide"
                )
            )
            if not lines:
                sys.stderr.write(
                    _none(
                        on_record,
                        asked=bool(k8s_namespaces or types or sharings or verdicts or ended),
                    )
                )
        case "json":
            sys.stdout.write(to_json(lines))
        case "yaml":
            sys.stdout.write(to_yaml(lines))
        case "name":
            write_lines(visible(line.pod.full_name) for line in lines)
        case _:
            assert_never(output)
    bad = any(line.verdict is Verdict.MISMATCH or line.changed for line in lines)
    return found.status(exit_codes.FOUND if bad else exit_codes.OK)


def _matrices(
    records: Records, at: str | None, *, ended: bool
) -> tuple[list[Matrix], tuple[Unwatched, ...]]:
    """The pods that may be asked for, and when nobody watched; folded in portions."""
    seq = None if at is None else records.last_seq_at(at)
    rows = sorted(records.ever(seq) if ended else records.there(seq))
    made: dict[str, Matrix] = {}
    unwatched: tuple[Unwatched, ...] = ()
    for begin in range(0, max(1, len(rows)), _PORTION):
        then = records.past(rows[begin : begin + _PORTION], at=at)
        unwatched = then.unwatched
        for id_, pod in then.workloads.pods.items():
            if id_ and id_ not in made and (ended or not pod.ended):
                made[id_] = pod_matrix(pod, then.workloads.host)
    return list(made.values()), unwatched


def _none(on_record: int, *, asked: bool) -> str:
    """Why there is no line: without an option that asks for some, nothing runs."""
    if asked:
        return f"no such pod among the {on_record} on record\n"
    others = f": {on_record} are on record, with --all" if on_record else ""
    return f"nothing is running{others}\n"


def _count(records: Records, at: str | None) -> int:
    return records.count(None if at is None else records.last_seq_at(at))
