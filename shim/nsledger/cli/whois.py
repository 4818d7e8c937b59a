"""`nsledger whois`: the options; what it does is in `asking`."""

from __future__ import annotations

from typing import Any

import click

from nsledger.cli import options
from nsledger.cli.moment import IN_HELP, MomentType, require_order

_HELP = """\
Tell whose namespace X is, or was.

\b
X is one of
  net:[4026532257]        a namespace as the kernel writes it
  4026532257, ino:N       its inode
  id:4303                 its 64-bit id, given again by another boot only
  pid:18477               a process of this node, by its number on the host
  /proc/18477/ns/net      one namespace of a process
  /run/netns/cni-…        where a pod's network namespace is mounted, or was
  3f2a9c0d1e…             a container or pod sandbox, by how its id begins
  10.88.0.7               a pod, by its IP
  veth5f47613f, dev:NAME  a pod, by its interface on the node

The kernel gives a freed inode to the next namespace at once, so without --at the answer is every
owner there was, each with its time and the records that prove it. Where the record does not tell,
the answer is unknown, with the reason; it is never a guess.
"""


def _run(**values: Any) -> int:  # noqa: ANN401 - one per option
    from nsledger.cli.asking import asking  # noqa: PLC0415 - `--help` needs no ledger

    require_order(values["since"], values["until"])
    if values["at"] is not None and (values["since"], values["until"]) != (None, None):
        raise click.UsageError("--at is one moment: give it, or --since and --until.")
    return asking(**values)


command = click.Command(
    "whois",
    callback=_run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger whois net:[4026532257]",
        "nsledger whois 4026532257 --at '2026-11-24 00:04:00' --utc",
        "nsledger whois pid:18477",
        "nsledger whois /proc/18477/ns/net -o json",
        "nsledger whois 10.88.0.2 --since 1h --live",
        more=IN_HELP,
    ),
    params=[
        click.Argument(["x"], metavar="X"),
        options.at("Whose it was then."),
        click.Option(["--since"], type=MomentType(), help="Whose it was then or later."),
        click.Option(["--until"], type=MomentType(), help="Whose it was before then."),
        click.Option(
            ["--live"], is_flag=True, help="Look in /proc whether the processes are still there."
        ),
        click.Option(
            ["--no-index"],
            is_flag=True,
            help="Fold the whole ledger instead of asking its index: slow, and the same answer.",
        ),
        options.output(("table", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
