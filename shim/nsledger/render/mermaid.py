"""The sharing graph as a Mermaid flowchart, and the names that every picture uses.

Pods are boxes with their processes and what only those share; what reaches over several pods, and
the host, stand outside of them. Source: https://mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

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


_CLASSES: Final = """\
  classDef host fill:#fdebe6,stroke:#a92a14,stroke-width:2px,color:#a92a14
  classDef bad fill:#fdebe6,stroke:#a92a14,color:#a92a14
  classDef shared fill:#dce8f9,stroke:#1a3f78,color:#1a3f78
  classDef sandbox stroke-dasharray:4 3
"""
"""Each sets its fill and its text, so that they can be read in Mermaid's light and dark themes."""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 _./-]")
"""Written as numbers, so that no name can end a label, a line or the diagram."""


def draw(picture: SharingGraph, types: Sequence[NamespaceType] = ()) -> str:
    """The flowchart; of `types` only, if there are any."""
    drawn = "".join(f"  {line}\n" for line in _lines(picture, types))
    return f"flowchart LR\n{drawn}{_CLASSES}"


def _lines(picture: SharingGraph, types: Sequence[NamespaceType]) -> Iterator[str]:
    groups = picture.shared_groups(types or ORDER)
    alone = picture.alone(types or ORDER)
    for pod in range(len(picture.pods)):
        yield f'subgraph p{pod} ["{_label(pod_name(picture, pod))}"]'
        for member in picture.members():
            if member.pod == pod:
                yield f"  {_process(member, picture.process(member), alone.get(member, []))}"
        for at, group in enumerate(groups):
            if home(group) == pod:
                yield f"  {_shared(at, group, bad=is_bad(picture, group))}"
        yield "end"
    for at, group in enumerate(groups):
        if home(group) is None:
            yield _shared(at, group, bad=True)
        for member in group.members:
            yield f"{_name(member)} --- s{at}"
    of_host = picture.in_hosts(hosts_types(picture, types))
    if of_host:
        yield f'host{{{{"{_label(HOST_NAME)}"}}}}:::host'
    for member, found in of_host.items():
        yield f'{_name(member)} ---|"{_label(in_host(picture, member, found))}"| host'


def _process(member: ProcessIndex, process: Process, alone: Sequence[NamespaceType]) -> str:
    own = f"<br>alone: {words(alone)}" if alone else ""
    style = ":::sandbox" if process.kind == "sandbox" else ""
    return f'{_name(member)}["{_label(process_name(process))}{own}"]{style}'


def _shared(at: int, group: SharedGroup, *, bad: bool) -> str:
    text = words(group.types)
    return f's{at}(["{_label(f"≠ {text}" if bad else text)}"]):::{"bad" if bad else "shared"}'


def _name(member: ProcessIndex) -> str:
    return f"p{member.pod}r{member.process}"


def _label(text: str) -> str:
    return _UNSAFE.sub(lambda one: f"#{ord(one[0])};", text)
