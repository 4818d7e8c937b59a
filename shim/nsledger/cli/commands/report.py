"""`nsledger report`: draw who shares what: a page for a browser, svg, mermaid."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, Literal, assert_never

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import write_whole
from nsledger.cli.reading import find_one, moment, reading
from nsledger.errors import WrongUsageError
from nsledger.index.records import Records
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.query.history import history_of
from nsledger.query.sharing_graph import SharingGraph, picture
from nsledger.render import mermaid, page, svg
from nsledger.render.page import Report
from nsledger.state.findings import Finding
from nsledger.state.matrix import ORDER, Matrix, pod_matrix
from nsledger.state.past import Past
from nsledger.state.pod import Pod
from nsledger.state.pod_summary import PodFilter, selected

_HELP = """\
Draw which processes of the node, or of PODs, are together in which namespaces.

html is one page for a browser: the node's figures, each namespace with who is in it, who had it
when, the findings, and a search over all of it. It loads nothing and sends nothing. svg and mermaid
are pictures of a few pods for documents; mermaid leaves out the host's namespaces that every
ordinary pod is in (user, time; with cgroup v1 cgroup) unless --type asks for them.

POD is what `nsledger show` takes. Without one it is all pods that run, with -a those that are gone
too (the last 1000), with --at those that ran then; -n is kubectl's flag, as in `nsledger pods`.
"""


_MOST_IN_A_PICTURE: Final = 20
"""More would be thousands of pixels high."""
_MOST_ENDED: Final = 1000
"""Of a year's pods, a page of all would be of no use to any browser."""

Output = Literal["html", "svg", "mermaid"]


def run(
    *,
    ledger: str,
    pods: Sequence[str],
    k8s_namespaces: Sequence[str],
    types: Sequence[str],
    ended: bool,
    at: int | None,
    output: Output,
    output_file: str,
    utc: bool,
) -> int:
    """Draw the ledger at `ledger` into `output_file`; the exit status."""
    _need_sense(pods, k8s_namespaces, types, output, output_file)
    with reading(ledger) as found:
        asked_at = moment(found, at)
        then, rows = found.ask(lambda records: _past(records, pods, asked_at, ended=ended))
        chosen = [find_one(found, asked, then) for asked in pods]
        matrices = _matrices(then, chosen, k8s_namespaces, ended=ended)
        ids = [matrix.pod.pod_sandbox_id for matrix in matrices]
        history = found.ask(lambda records: history_of(records, ids, last_seq=then.last_seq))
        on_record = found.ask(lambda records: records.count(None if at is None else then.last_seq))
    if output != "html" and len(matrices) > _MOST_IN_A_PICTURE:
        raise WrongUsageError(
            f"found {len(matrices)} pods, needed at most {_MOST_IN_A_PICTURE} for {output}",
            hint="Name the pods, choose with -n, or draw the page: nsledger report -f node.html.",
        )
    left_out = on_record - rows if ended and not pods else 0
    drawn = picture(matrices, history.facts)
    wanted = [type_ for type_ in ORDER if type_ in {NamespaceType(one) for one in types}]
    match output:
        case "html":
            text = page.draw(
                Report(
                    picture=drawn,
                    history=history,
                    findings=_about(history.findings(), drawn, pods or k8s_namespaces),
                    at=then.at,
                    unwatched=then.unwatched,
                    left_out=left_out,
                    utc=utc,
                )
            )
        case "svg":
            text = svg.draw(drawn, wanted)
        case "mermaid":
            text = mermaid.draw(drawn, wanted)
        case _:
            assert_never(output)
    write_whole(output_file, text)
    if not matrices:
        sys.stderr.write(f"no such pod among the {on_record} on record\n")
    if left_out:
        sys.stderr.write(f"{left_out} older pods that are gone were left out\n")
    return found.status(exit_codes.OK)


def _need_sense(
    pods: Sequence[str],
    k8s_namespaces: Sequence[str],
    types: Sequence[str],
    output: Output,
    output_file: str,
) -> None:
    if pods and k8s_namespaces:
        raise WrongUsageError("found both POD and --k8s-namespace, needed one way to select")
    if types and output == "html":
        raise WrongUsageError(
            "found --type with html, needed svg or mermaid",
            hint="The page has every type, one click apart.",
        )
    if output in {"html", "svg"} and output_file == "-" and sys.stdout.isatty():
        raise WrongUsageError(
            f"found a terminal, needed a file for {output}",
            hint=f"nsledger report -o {output} -f node.{output}, or redirect the output.",
        )


def _past(
    records: Records, pods: Sequence[str], at: str | None, *, ended: bool
) -> tuple[Past, int]:
    """The pods that may be drawn, and how many they are: of those that are gone, the newest."""
    seq = None if at is None else records.last_seq_at(at)
    if pods:
        return records.past(set[int]().union(*map(records.called, pods)), at=at), 0
    rows = records.there(seq)
    if ended:
        rows |= records.newest(seq, _MOST_ENDED)
    then = records.past(rows, at=at)
    over = sorted(
        (pod for id_, pod in then.workloads.pods.items() if id_ and pod.ended),
        key=lambda pod: unix_ns(pod.until),
    )
    for pod in over[:-_MOST_ENDED]:
        del then.workloads.pods[pod.ref.pod_sandbox_id]
    return then, sum(1 for id_ in then.workloads.pods if id_)


def _matrices(
    then: Past, chosen: Sequence[Pod], k8s_namespaces: Sequence[str], *, ended: bool
) -> list[Matrix]:
    """The pods that are asked for, by name."""
    pods = (
        {id(pod): pod for pod in chosen}.values()
        if chosen
        else [pod for id_, pod in then.workloads.pods.items() if id_]
    )
    made = (
        pod_matrix(pod, then.workloads.host, at=then.at, unwatched=then.unwatched) for pod in pods
    )
    wanted = PodFilter(k8s_namespaces=k8s_namespaces, ended=ended or bool(chosen))
    return selected(made, wanted)


def _about(
    findings: Sequence[Finding], drawn: SharingGraph, narrowed: Sequence[str]
) -> list[Finding]:
    """Those about the node and about the pods drawn; all of them, if no pods were chosen."""
    ids = {matrix.pod.pod_sandbox_id for matrix in drawn.pods}
    return [
        one for one in findings if not narrowed or one.pod is None or one.pod.pod_sandbox_id in ids
    ]


command = click.Command(
    "report",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger report -f node.html",
        "nsledger report -n kube-system -a -o html > kube-system.html",
        "nsledger report web -o svg -f web.svg",
        "nsledger report web debug -o mermaid --type pid",
        more=IN_HELP,
    ),
    params=[
        click.Argument(
            ["pods"], metavar="[POD]...", nargs=-1, shell_complete=options.complete_pods
        ),
        options.k8s_namespaces(),
        options.all_k8s_namespaces(),
        options.selector(),
        options.types("Only this type, in svg and mermaid; may be given again."),
        options.ended(),
        options.at("The pods that ran then."),
        click.Option(
            ["-o", "--output"],
            type=click.Choice(("html", "svg", "mermaid")),
            default="html",
            show_default=True,
            help="What is drawn.",
        ),
        click.Option(
            ["-f", "--output-file"],
            metavar="FILE",
            default="-",
            help="Where it goes, instead of standard output; a file that is there is replaced.",
        ),
        options.utc(),
        options.ledger(),
    ],
)
