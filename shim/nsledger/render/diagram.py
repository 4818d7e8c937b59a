"""The picture as a graph, line by line: what stands in it and in which order, in any language.

Pods are boxes with their processes and what only those share; what reaches over several pods, and
the host, stand outside of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.query.sharing_graph import ProcessIndex, SharedGroup, SharingGraph
from nsledger.render.text import shorten_middle, visible
from nsledger.state.matrix import ORDER, Process

HOST_SIGN: Final = "▲"
HOST_NAME: Final = f"{HOST_SIGN} the node's own"
_LONGEST: Final = 48


def hosts_types(picture: SharingGraph, wanted: Sequence[NamespaceType]) -> Sequence[NamespaceType]:
    """Of which types the host's is drawn: without those of every ordinary pod, unless asked for."""
    return wanted or [type_ for type_ in ORDER if type_ not in picture.usual]


def process_name(process: Process) -> str:
    """Its name, with the number of the restart that it is, and that it has ended."""
    name = visible(process.name or process.id[:13] or "?")
    again = f" #{process.attempt}" if process.attempt and process.kind == "container" else ""
    ended = " (ended)" if process.state == "ended" else ""
    return shorten_middle(name, _LONGEST) + again + ended


def pod_name(picture: SharingGraph, pod: int) -> str:
    """`k8s_namespace/name`, no longer than fits."""
    return shorten_middle(visible(picture.pods[pod].pod.full_name) or "?", _LONGEST)


def home(group: SharedGroup) -> int | None:
    """The pod that a group is within; None if it reaches over several."""
    pods = {member.pod for member in group.members}
    return pods.pop() if len(pods) == 1 else None


def is_bad(picture: SharingGraph, group: SharedGroup) -> bool:
    """Whether a process is in it although layers disagree, or it moved there, or pods share it."""
    if home(group) is None:
        return True
    return any(_is_odd(picture, member, group.types) for member in group.members)


def in_host(picture: SharingGraph, member: ProcessIndex, types: Sequence[NamespaceType]) -> str:
    """`net pid`, with a sign where it should not be so."""
    sign = "≠ " if _is_odd(picture, member, types) else ""
    return f"{sign}{words(types)}"


def _is_odd(picture: SharingGraph, member: ProcessIndex, types: Sequence[NamespaceType]) -> bool:
    cells = [picture.cell(member, type_) for type_ in types]
    return any(cell.verdict is Verdict.MISMATCH or cell.changed for cell in cells)


def words(types: Sequence[NamespaceType]) -> str:
    """`net ipc uts`."""
    return " ".join(types)


class Language(Protocol):
    """How one graph language writes each part, without the end of the line."""

    def pod_begins(self, pod: int, name: str) -> Sequence[str]:
        """What opens the box of a pod."""
        ...

    def pod_ends(self) -> str:
        """What closes it."""
        ...

    def process(self, member: ProcessIndex, process: Process, alone: str) -> str:
        """A process; `alone` names the types that it shares with nobody, or is empty."""
        ...

    def group(self, at: int, text: str, *, bad: bool) -> str:
        """What processes share, the `at`-th of all; `bad` if it should not be so."""
        ...

    def in_group(self, member: ProcessIndex, at: int) -> str:
        """The line between a process and what it shares."""
        ...

    def host(self) -> str:
        """The node's own namespaces."""
        ...

    def in_host(self, member: ProcessIndex, text: str) -> str:
        """The line between a process and those, with the types in question."""
        ...


def lines(
    picture: SharingGraph, types: Sequence[NamespaceType], language: Language
) -> Iterator[str]:
    """The graph's lines; of `types` only, if there are any."""
    shared_groups = picture.shared_groups(types or ORDER)
    alone = picture.alone(types or ORDER)
    for pod in range(len(picture.pods)):
        yield from language.pod_begins(pod, pod_name(picture, pod))
        for member in picture.members():
            if member.pod == pod:
                own = words(alone.get(member, []))
                yield f"  {language.process(member, picture.process(member), own)}"
        for at, group in enumerate(shared_groups):
            if home(group) == pod:
                told = language.group(at, words(group.types), bad=is_bad(picture, group))
                yield f"  {told}"
        yield language.pod_ends()
    for at, group in enumerate(shared_groups):
        if home(group) is None:
            yield language.group(at, words(group.types), bad=True)
        for member in group.members:
            yield language.in_group(member, at)
    of_host = picture.in_hosts(hosts_types(picture, types))
    if of_host:
        yield language.host()
    for member, found in of_host.items():
        yield language.in_host(member, in_host(picture, member, found))
