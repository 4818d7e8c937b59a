"""`nsledger report`: draw who shares what: a page for a browser, svg, mermaid."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final, Literal, assert_never

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP
from nsledger.cli.output import write_whole
from nsledger.cli.reading import folded, pod_in, reading_a_ledger, records
from nsledger.errors import WrongUsageError
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.query.history import History
from nsledger.query.sharing_graph import SharingGraph, picture
from nsledger.render import mermaid, page, svg
from nsledger.render.page import Report
from nsledger.state.findings import Finding
from nsledger.state.matrix import ORDER, Matrix, pod_matrix
from nsledger.state.past import Past
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


_MOST_ENDED: Final = 1000
"""Of a year's pods, a page of all would be of no use to any browser."""
_MOST_IN_A_PICTURE: Final = 20
"""More would be thousands of pixels high."""

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
    with reading_a_ledger():
        then = folded(ledger, at)
        matrices, left_out = _matrices(ledger, then, pods, k8s_namespaces, ended=ended)
        history = _chronicle(ledger, then, matrices)
    if output != "html" and len(matrices) > _MOST_IN_A_PICTURE:
        raise WrongUsageError(
            f"found {len(matrices)} pods, needed at most {_MOST_IN_A_PICTURE} for {output}",
            hint="Name the pods, choose with -n, or draw the page: nsledger report -f node.html.",
        )
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
        on_record = sum(1 for id_ in then.workloads.pods if id_)
        sys.stderr.write(f"no such pod among the {on_record} on record\n")
    if left_out:
        sys.stderr.write(f"{left_out} older pods that are gone were left out\n")
    return exit_codes.OK


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


def _matrices(
    ledger: str, then: Past, pods: Sequence[str], k8s_namespaces: Sequence[str], *, ended: bool
) -> tuple[list[Matrix], int]:
    """The pods that are asked for, by name, and how many that are gone were too many."""
    folded_pods = (
        {id(pod): pod for pod in (pod_in(ledger, asked, then) for asked in pods)}.values()
        if pods
        else [pod for id_, pod in then.workloads.pods.items() if id_]
    )
    over = sorted((pod for pod in folded_pods if pod.ended), key=lambda pod: unix_ns(pod.until))
    left_out = {pod.ref.pod_sandbox_id for pod in over[:-_MOST_ENDED]} if ended else set[str]()
    made = (
        pod_matrix(pod, then.workloads.host, at=then.at, unwatched=then.unwatched)
        for pod in folded_pods
        if pod.ref.pod_sandbox_id not in left_out
    )
    wanted = PodFilter(k8s_namespaces=k8s_namespaces, ended=ended or bool(pods))
    return selected(made, wanted), len(left_out)


def _chronicle(ledger: str, then: Past, matrices: Sequence[Matrix]) -> History:
    """Read once more, now that it is known whose spans are to be kept: a year has many."""
    history = History(matrix.pod.pod_sandbox_id for matrix in matrices)
    for record in records(ledger):
        if record.seq > then.last_seq:
            break
        history.apply(record)
    return history


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
        click.Argument(["pods"], metavar="[POD]...", nargs=-1),
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
