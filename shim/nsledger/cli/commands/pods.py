"""`nsledger pods`: list the pods with the host's namespaces that they use."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, assert_never

import click
import msgspec

from nsledger.cli import exit_codes, options
from nsledger.cli.commands.accept import acceptances
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import ColorChoice, screen, write_lines
from nsledger.cli.reading import moment, reading
from nsledger.errors import WrongUsageError
from nsledger.index.records import Records
from nsledger.ledger import place
from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.render.json_yaml import to_json, to_yaml
from nsledger.render.pods import draw_pod_table, draw_unwatched
from nsledger.render.text import Screen, visible
from nsledger.state.acceptance import parted
from nsledger.state.coverage import Unwatched
from nsledger.state.findings import Finding, Kind
from nsledger.state.inspection import inspect
from nsledger.state.matrix import Matrix, pod_matrix
from nsledger.state.pod_summary import PodFilter, PodLine, pod_lines

_PORTION: Final = 1000
"""Pods that are folded at once: a year's would be gigabytes."""
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


@dataclass(frozen=True, slots=True)
class _Seen:
    lines: list[PodLine]
    unwatched: tuple[Unwatched, ...]
    cgroup_version: int


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
    with reading(ledger) as found:
        then = moment(found, at)
        seen = found.ask(lambda records: _seen(records, then, wanted))
        on_record = 0 if seen.lines else found.ask(lambda records: _count(records, then))
    drawn_for = screen(color=color, utc=utc)
    match output:
        case "table" | "wide":
            if not no_headers:
                write_lines(draw_unwatched(seen.unwatched, drawn_for))
            write_lines(_table(seen, drawn_for, wanted, output, headers=not no_headers))
            if not seen.lines:
                sys.stderr.write(_none(on_record, wanted))
        case "json":
            sys.stdout.write(to_json(seen.lines))
        case "yaml":
            sys.stdout.write(to_yaml(seen.lines))
        case "name":
            write_lines(visible(line.pod.full_name) for line in seen.lines)
        case _:
            assert_never(output)
    if watch:
        _watch(ledger, wanted, seen, drawn_for, output)
    bad = any(line.verdict is Verdict.MISMATCH or line.changed for line in seen.lines)
    return found.status(exit_codes.FOUND if bad else exit_codes.OK)


def _none(on_record: int, wanted: PodFilter) -> str:
    """Why there is no line: without an option that asks for some, nothing runs."""
    chosen = (wanted.k8s_namespaces, wanted.types, wanted.sharings, wanted.verdicts)
    if wanted.ended or any(chosen):
        return f"no such pod among the {on_record} on record\n"
    others = f": {on_record} are on record, with --all" if on_record else ""
    return f"nothing is running{others}\n"


def _table(
    seen: _Seen, drawn_for: Screen, wanted: PodFilter, output: Output, *, headers: bool
) -> Iterator[str]:
    return draw_pod_table(
        seen.lines,
        drawn_for,
        types=wanted.types,
        wide=output == "wide",
        headers=headers,
        cgroup_version=seen.cgroup_version,
    )


def _watch(ledger: str, wanted: PodFilter, first: _Seen, drawn_for: Screen, output: Output) -> None:
    """Write a line for each pod that changes, and a last one for each that ends."""
    shown = {line.pod.pod_sandbox_id: line for line in first.lines}
    size_bytes = 0
    while True:
        sys.stdout.flush()
        time.sleep(_LOOK_AGAIN_S)
        if place.find(ledger).size_bytes == size_bytes:
            continue
        size_bytes = place.find(ledger).size_bytes
        with reading(ledger) as found:
            now = found.ask(lambda records: _seen(records, None, replace(wanted, ended=True)))
        changed = [
            line
            for line in now.lines
            if line != shown.get(line.pod.pod_sandbox_id)
            and (wanted.ended or line.state != "ended" or line.pod.pod_sandbox_id in shown)
        ]
        shown |= {line.pod.pod_sandbox_id: line for line in changed}
        if output == "name":
            write_lines(visible(line.pod.full_name) for line in changed)
        else:
            now = replace(now, lines=changed)
            write_lines(_table(now, drawn_for, wanted, output, headers=False))


def _seen(records: Records, at: str | None, wanted: PodFilter) -> _Seen:
    """The pods that are asked for, and when nobody watched; folded in portions."""
    seq = None if at is None else records.last_seq_at(at)
    rows = sorted(records.ever(seq) if wanted.ended else records.there(seq))
    made: dict[str, Matrix] = {}
    unwatched: tuple[Unwatched, ...] = ()
    cgroup_version = 0
    for begin in range(0, max(1, len(rows)), _PORTION):
        then = records.past(rows[begin : begin + _PORTION], at=at)
        unwatched, cgroup_version = then.unwatched, then.workloads.cgroup_version
        for id_, pod in then.workloads.pods.items():
            if id_ and id_ not in made and (wanted.ended or not pod.ended):
                made[id_] = pod_matrix(pod, then.workloads.host)
    lines = pod_lines(made.values(), wanted)
    if at is None:
        lines = _with_findings(lines, inspect(records.findings()))
    return _Seen(lines, unwatched, cgroup_version)


def _with_findings(lines: list[PodLine], findings: Iterable[Finding]) -> list[PodLine]:
    """Each line with the kinds of what was found about its pod, and that nobody accepted."""
    rules = [rule for _, rule in acceptances()]
    open_, _ = parted(findings, rules, time.time_ns())
    kinds: dict[str, dict[Kind, None]] = {}
    for one in open_:
        if one.pod is not None:
            kinds.setdefault(one.pod.pod_sandbox_id, {})[one.kind] = None
    return [
        msgspec.structs.replace(line, findings=tuple(kinds.get(line.pod.pod_sandbox_id, ())))
        for line in lines
    ]


def _count(records: Records, at: str | None) -> int:
    return records.count(None if at is None else records.last_seq_at(at))


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
