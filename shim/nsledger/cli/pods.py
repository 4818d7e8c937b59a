"""`nsledger pods`: the options; what it does is in `listing_pods`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options
from nsledger.cli.moment import IN_HELP

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
    from nsledger.cli.listing_pods import listing_pods  # noqa: PLC0415 - `--help` needs no ledger

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
