"""What pictures for documents have in common: which types they tell, and names that fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nsledger.domain.judgement import Verdict
from nsledger.domain.matrix import ORDER, Process
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.picture import Circle, Picture, Seat
from nsledger.report.text import shorten_middle, visible

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
