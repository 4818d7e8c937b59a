"""The picture as a graph, line by line: what stands in it and in which order, in any language.

Pods are boxes with their processes and what only those share; what reaches over several pods, and
the host, stand outside of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

from nsledger.model.judgement import Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.query.sharing_graph import Circle, Picture, Seat
from nsledger.render.text import shorten_middle, visible
from nsledger.state.matrix import ORDER, Process

HOST_SIGN: Final = "▲"
HOST_NAME: Final = f"{HOST_SIGN} the node's own"
_LONGEST: Final = 48


def hosts_types(picture: Picture, wanted: Sequence[NamespaceType]) -> Sequence[NamespaceType]:
    """Of which types the host's is drawn: without those of every ordinary pod, unless asked for."""
    return wanted or [type_ for type_ in ORDER if type_ not in picture.usual]


def process_name(process: Process) -> str:
    """Its name, with the number of the restart that it is, and that it has ended."""
    name = visible(process.name or process.id[:13] or "?")
    again = f" #{process.attempt}" if process.attempt and process.kind == "container" else ""
    ended = " (ended)" if process.state == "ended" else ""
    return shorten_middle(name, _LONGEST) + again + ended


def pod_name(picture: Picture, pod: int) -> str:
    """`k8s_namespace/name`, no longer than fits."""
    return shorten_middle(visible(picture.pods[pod].pod.full_name) or "?", _LONGEST)


def home(circle: Circle) -> int | None:
    """The pod that a circle is within; None if it reaches over several."""
    pods = {seat.pod for seat in circle.members}
    return pods.pop() if len(pods) == 1 else None


def is_bad(picture: Picture, circle: Circle) -> bool:
    """Whether a process is in it although layers disagree, or it moved there, or pods share it."""
    if home(circle) is None:
        return True
    return any(_is_odd(picture, seat, circle.types) for seat in circle.members)


def in_host(picture: Picture, seat: Seat, types: Sequence[NamespaceType]) -> str:
    """`net pid`, with a sign where it should not be so."""
    sign = "≠ " if _is_odd(picture, seat, types) else ""
    return f"{sign}{words(types)}"


def _is_odd(picture: Picture, seat: Seat, types: Sequence[NamespaceType]) -> bool:
    cells = [picture.cell(seat, type_) for type_ in types]
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

    def process(self, seat: Seat, process: Process, alone: str) -> str:
        """A process; `alone` names the types that it shares with nobody, or is empty."""
        ...

    def circle(self, at: int, text: str, *, bad: bool) -> str:
        """What processes share, the `at`-th of all; `bad` if it should not be so."""
        ...

    def in_circle(self, seat: Seat, at: int) -> str:
        """The line between a process and what it shares."""
        ...

    def host(self) -> str:
        """The node's own namespaces."""
        ...

    def in_host(self, seat: Seat, text: str) -> str:
        """The line between a process and those, with the types in question."""
        ...


def lines(picture: Picture, types: Sequence[NamespaceType], language: Language) -> Iterator[str]:
    """The graph's lines; of `types` only, if there are any."""
    circles = picture.circles(types or ORDER)
    alone = picture.alone(types or ORDER)
    for pod in range(len(picture.pods)):
        yield from language.pod_begins(pod, pod_name(picture, pod))
        for seat in picture.seats():
            if seat.pod == pod:
                own = words(alone.get(seat, []))
                yield f"  {language.process(seat, picture.process(seat), own)}"
        for at, circle in enumerate(circles):
            if home(circle) == pod:
                told = language.circle(at, words(circle.types), bad=is_bad(picture, circle))
                yield f"  {told}"
        yield language.pod_ends()
    for at, circle in enumerate(circles):
        if home(circle) is None:
            yield language.circle(at, words(circle.types), bad=True)
        for seat in circle.members:
            yield language.in_circle(seat, at)
    of_host = picture.in_hosts(hosts_types(picture, types))
    if of_host:
        yield language.host()
    for seat, found in of_host.items():
        yield language.in_host(seat, in_host(picture, seat, found))
