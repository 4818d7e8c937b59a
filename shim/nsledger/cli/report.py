"""`nsledger report`: the options; what it does is in `reporting`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options
from nsledger.cli.moment import IN_HELP

_HELP = """\
Draw which processes of the node, or of PODs, are together in which namespaces.

html is one page for a browser: the node's figures, each namespace with who is in it, who had it
when, the findings, and a search over all of it. It loads nothing and sends nothing. svg, dot and
mermaid are pictures for documents; dot and mermaid leave out the host's namespaces that every
ordinary pod is in (user, time; with cgroup v1 cgroup) unless --type asks for them.

POD is what `nsledger show` takes. Without one it is all pods that run, with -a those that are gone
too (the last 1000), with --at those that ran then; -n is kubectl's flag, as in `nsledger pods`.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.reporting import reporting  # noqa: PLC0415 - `--help` needs no ledger

    return reporting(**values)


command = click.Command(
    "report",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger report -f node.html",
        "nsledger report -n kube-system -a -o html > kube-system.html",
        "nsledger report web -o svg -f web.svg",
        "nsledger report web debug -o dot --type pid -f pid.dot",
        more=IN_HELP,
    ),
    params=[
        click.Argument(["pods"], metavar="[POD]...", nargs=-1),
        options.k8s_namespaces(),
        options.types("Only this type, in svg, dot and mermaid; may be given again."),
        options.ended(),
        options.at("The pods that ran then."),
        click.Option(
            ["-o", "--output"],
            type=click.Choice(("html", "svg", "dot", "mermaid")),
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
