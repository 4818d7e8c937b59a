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
        yield indent + mark + _line(branch, screen)
        yield from _draw_all(branch.branches, screen, indent=indent + below)


def _line(branch: Branch, screen: Screen) -> str:
    parts = [f"{branch.type}:[{branch.identity.ino}]"]
    if branch.is_host:
        parts.append(paint(f"{screen.host_sign} host", Tone.HOST, color=screen.color))
    parts.append(f"{branch.processes} process{'' if branch.processes == 1 else 'es'}")
    if branch.identity.owner_ino is not None and branch.type is not NamespaceType.USER:
        owner = f"owned by user:[{branch.identity.owner_ino}]"
        parts.append(paint(owner, Tone.FAINT, color=screen.color))
    parts += [paint(visible(one), Tone.STRONG, color=screen.color) for one in branch.owners]
    return "  ".join(parts)
