"""The picture as a Mermaid flowchart: for Markdown that is shown where Mermaid is drawn.

Source: https://mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from nsledger.domain.matrix import ORDER
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.picture import Picture, Seat
from nsledger.report.picture_text import (
    HOST_NAME,
    home,
    hosts_types,
    in_host,
    is_bad,
    pod_name,
    process_name,
    words,
)

_CLASSES: Final = """\
  classDef host fill:#fdebe6,stroke:#a92a14,stroke-width:2px,color:#a92a14
  classDef bad fill:#fdebe6,stroke:#a92a14,color:#a92a14
  classDef shared fill:#dce8f9,stroke:#1a3f78,color:#1a3f78
  classDef sandbox stroke-dasharray:4 3
"""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 _./-]")
"""Written as numbers, so that no name can end a label, a line or the diagram."""


def draw(picture: Picture, types: Sequence[NamespaceType] = ()) -> str:
    """The flowchart; of `types` only, if there are any."""
    lines = "".join(f"  {line}\n" for line in _lines(picture, types))
    return f"flowchart LR\n{lines}{_CLASSES}"


def _lines(picture: Picture, types: Sequence[NamespaceType]) -> Iterator[str]:
    circles = picture.circles(types or ORDER)
    alone = picture.alone(types or ORDER)
    for pod in range(len(picture.pods)):
        yield f'subgraph p{pod} ["{_label(pod_name(picture, pod))}"]'
        for seat in picture.seats():
            if seat.pod == pod:
                yield f"  {_process(picture, seat, alone.get(seat, []))}"
        for at, circle in enumerate(circles):
            if home(circle) == pod:
                yield f"  {_circle(at, words(circle.types), bad=is_bad(picture, circle))}"
        yield "end"
    for at, circle in enumerate(circles):
        if home(circle) is None:
            yield _circle(at, words(circle.types), bad=True)
        for seat in circle.members:
            yield f"{_name(seat)} --- s{at}"
    of_host = picture.in_hosts(hosts_types(picture, types))
    if of_host:
        yield f'host{{{{"{_label(HOST_NAME)}"}}}}:::host'
    for seat, found in of_host.items():
        yield f'{_name(seat)} ---|"{_label(in_host(picture, seat, found))}"| host'


def _process(picture: Picture, seat: Seat, alone: Sequence[NamespaceType]) -> str:
    process = picture.process(seat)
    own = f"<br>alone: {words(alone)}" if alone else ""
    style = ":::sandbox" if process.kind == "sandbox" else ""
    return f'{_name(seat)}["{_label(process_name(process))}{own}"]{style}'


def _circle(at: int, text: str, *, bad: bool) -> str:
    return f's{at}(["{_label(f"≠ {text}" if bad else text)}"]):::{"bad" if bad else "shared"}'


def _name(seat: Seat) -> str:
    return f"p{seat.pod}r{seat.process}"


def _label(text: str) -> str:
    return _UNSAFE.sub(lambda one: f"#{ord(one[0])};", text)
