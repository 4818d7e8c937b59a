"""What `nsledger tree` does: asks the kernel for the nesting, and the ledger for the names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.indexed import index_of
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.interval import Interval, OwnerKind
from nsledger.domain.namespaces import NamespaceType
from nsledger.index.answering import open_intervals
from nsledger.proc import node
from nsledger.proc.hierarchy import NESTED, Hierarchy, Nested, hierarchy
from nsledger.proc.process import is_alive
from nsledger.report import tree_text
from nsledger.report.tree_text import Branch, Tree


@reading_a_ledger()
def branching(
    *,
    ledger: str,
    type: Sequence[str],  # noqa: A002 - the option's name
    output: Literal["table", "json", "yaml"],
    color: ColorChoice,
) -> int:
    """Show the trees of this node; the exit status."""
    with index_of(ledger) as index:
        on_record = open_intervals(index.database, index.reached, ledger)
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
    return exit_codes.OK


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
