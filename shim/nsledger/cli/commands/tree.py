"""`nsledger tree`: show how pid and user namespaces nest, and whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import reading
from nsledger.model.namespaces import NamespaceType
from nsledger.proc import host as node
from nsledger.proc.hierarchy import NESTED, Hierarchy, Nested, hierarchy
from nsledger.proc.process import is_alive
from nsledger.query.index_lookup import open_intervals
from nsledger.render import tree_text
from nsledger.render.tree_text import Branch, Tree
from nsledger.state.intervals import Interval, OwnerKind

_HELP = """\
Show how the pid and user namespaces of this node are nested, and which pods are in them.

The kernel tells the parent of a namespace of these two types, and the user namespace that owns it;
the ledger tells the pods and containers. Each namespace is listed with the processes that are in it
and in none below. What may not be looked at is counted; that needs root.
"""


def run(
    *,
    ledger: str,
    type: Sequence[str],  # noqa: A002 - the option's name
    output: Literal["table", "json", "yaml"],
    color: ColorChoice,
) -> int:
    """Show the trees of this node; the exit status."""
    with reading(ledger) as history:
        on_record = history.ask(open_intervals)
    seen = {one: hierarchy(one) for one in NESTED if one in type}
    owners = _owners(on_record, node.boot_id())
    host = {(one.type, one.identity.ino) for one in on_record if one.owner.kind is OwnerKind.HOST}
    trees = {one: _branches(found, None, owners, host) for one, found in seen.items()}
    tree = Tree(
        user=trees.get(NamespaceType.USER, ()),
        pid=trees.get(NamespaceType.PID, ()),
        unreadable_processes=max((one.unreadable for one in seen.values()), default=0),
    )
    write_answer(tree, output, lambda: tree_text.draw(tree, screen(color=color, utc=True)))
    return history.status(exit_codes.OK)


def _owners(on_record: Sequence[Interval], boot_id: str) -> dict[int, str]:
    """The pod and container of each living process that is on record, by its pid."""
    owners: dict[int, str] = {}
    for one in on_record:
        if one.owner.kind is OwnerKind.HOST or one.boot_id != boot_id or one.pid in owners:
            continue
        if one.start_ticks is not None and is_alive(one.pid, one.start_ticks):
            name = one.owner.container.name or one.owner.container.container_id[:13]
            owners[one.pid] = "/".join(filter(None, (one.owner.pod.full_name, name)))
    return owners


def _branches(
    found: Hierarchy,
    parent: int | None,
    owners: Mapping[int, str],
    host: set[tuple[NamespaceType, int]],
) -> tuple[Branch, ...]:
    """Those directly below `parent`, each with all that is below it, by their first process."""
    here = [one for one in found.namespaces.values() if one.parent == parent]
    return tuple(
        Branch(
            type=one.type,
            identity=one.identity,
            is_host=(one.type, one.identity.ino) in host,
            processes=len(one.pids),
            owners=tuple(dict.fromkeys(owners[pid] for pid in one.pids if pid in owners)),
            branches=_branches(found, one.identity.ino, owners, host),
        )
        for one in sorted(here, key=_first_process)
    )


def _first_process(one: Nested) -> tuple[int, int]:
    return min(one.pids, default=0), one.identity.ino


command = click.Command(
    "tree",
    callback=run,
    help=_HELP,
    epilog=options.epilog("nsledger tree", "nsledger tree --type user -o json"),
    params=[
        click.Option(
            ["--type"],
            type=click.Choice(["user", "pid"]),
            multiple=True,
            default=["user", "pid"],
            show_default=True,
            help="Only namespaces of this type.",
        ),
        options.output(("table", "json", "yaml")),
        options.color(),
        options.ledger(),
    ],
)
