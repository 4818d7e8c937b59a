"""What `nsledger tree` shows: which pid and user namespaces stand in which, and who is in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.render.text import Screen, Tone, counted, paint, visible


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace, and those that were made in it."""

    type: NamespaceType
    identity: NamespaceIdentity
    is_host: bool
    processes: int
    """That are in it, and not in one below."""
    owners: tuple[str, ...]
    """Pods and containers on record of which a process is in it, as `k8s_namespace/pod/container`;
    a sandbox without the last part."""
    branches: tuple[Branch, ...]


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """All that were seen of some types."""

    user: tuple[Branch, ...] = ()
    pid: tuple[Branch, ...] = ()
    unreadable_processes: int
    """That may not be looked at: there may be more namespaces."""


def draw(tree: Tree, screen: Screen) -> Iterator[str]:
    """The lines of the tree, users first."""
    for number, branches in enumerate(one for one in (tree.user, tree.pid) if one):
        if number:
            yield ""
        yield from _draw_all(branches, screen, indent="", is_top=True)
    if tree.unreadable_processes:
        yield paint(
            f"{counted(tree.unreadable_processes, 'process', 'processes')} could not be looked at: "
            "there may be more",
            Tone.WARNING,
            color=screen.color,
        )


def _draw_all(
    branches: Sequence[Branch], screen: Screen, *, indent: str, is_top: bool = False
) -> Iterator[str]:
    fork, corner, bar = ("├─ ", "└─ ", "│  ") if screen.unicode else ("|- ", "`- ", "|  ")
    for number, branch in enumerate(branches, 1):
        is_last = number == len(branches)
        mark, below = (corner, "   ") if is_last else (fork, bar)
        if is_top:
            mark = below = ""
        yield from _lines(branch, screen, indent + mark, indent + below + "   ")
        yield from _draw_all(branch.branches, screen, indent=indent + below)


def _lines(branch: Branch, screen: Screen, first: str, next_: str) -> Iterator[str]:
    """One namespace: what it is, and whose, on as many lines as the screen needs for that."""
    parts: list[tuple[str, Tone | None]] = [(f"{branch.type}:[{branch.identity.ino}]", None)]
    if branch.is_host:
        parts.append((f"{screen.host_sign} host", Tone.HOST))
    parts.append((f"{branch.processes} process{'' if branch.processes == 1 else 'es'}", None))
    if branch.identity.owner_ino is not None and branch.type is not NamespaceType.USER:
        parts.append((f"owned by user:[{branch.identity.owner_ino}]", Tone.FAINT))
    parts += [(visible(one), Tone.STRONG) for one in branch.owners]
    line, width = first, len(first)
    for number, (text, tone) in enumerate(parts):
        gap = "" if number == 0 else "  "
        if number and screen.width is not None and width + len(gap + text) > screen.width:
            yield line
            line, width, gap = next_, len(next_), ""
        line += gap + (text if tone is None else paint(text, tone, color=screen.color))
        width += len(gap + text)
    yield line
