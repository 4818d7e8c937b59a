"""The picture as a graph, line by line: what stands in it and in which order, in any language.

Pods are boxes with their processes and what only those share; what reaches over several pods, and
the host, stand outside of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from nsledger.domain.matrix import ORDER, Process
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.picture import Picture, Seat
from nsledger.report.picture_text import home, hosts_types, in_host, is_bad, pod_name, words


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
