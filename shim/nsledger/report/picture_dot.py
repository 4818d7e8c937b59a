"""The picture as a graph for Graphviz: pods are boxes, what their processes share stands between.

Source: the DOT language, https://graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

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

_WARN: Final = "#a92a14"
_HEAD: Final = """\
graph nsledger {
  rankdir=LR; compound=true; fontname="sans-serif"; nodesep=0.15; ranksep=0.9;
  node [fontname="sans-serif", fontsize=11, shape=box, style="rounded,filled", fillcolor="#ffffff", color="#8a8f96"];
  edge [fontname="sans-serif", fontsize=10, color="#8a8f96"];
"""  # noqa: E501 - as Graphviz reads it


def draw(picture: Picture, types: Sequence[NamespaceType] = ()) -> str:
    """The graph; of `types` only, if there are any."""
    return _HEAD + "".join(f"  {line}\n" for line in _lines(picture, types)) + "}\n"


def _lines(picture: Picture, types: Sequence[NamespaceType]) -> Iterator[str]:
    circles = picture.circles(types or ORDER)
    alone = picture.alone(types or ORDER)
    for pod in range(len(picture.pods)):
        yield f"subgraph cluster_{pod} {{"
        yield f'  label={_quoted(pod_name(picture, pod))}; style="rounded"; color="#c9ccd0";'
        for seat in picture.seats():
            if seat.pod == pod:
                yield f"  {_name(seat)} [{_process(picture, seat, alone.get(seat, []))}];"
        for at, circle in enumerate(circles):
            if home(circle) == pod:
                yield f"  {_circle(at, words(circle.types), bad=is_bad(picture, circle))}"
        yield "}"
    for at, circle in enumerate(circles):
        if home(circle) is None:
            yield _circle(at, words(circle.types), bad=True)
        for seat in circle.members:
            yield f"{_name(seat)} -- s{at};"
    of_host = picture.in_hosts(hosts_types(picture, types))
    if of_host:
        style = f'shape=octagon, style=filled, fillcolor="#fdebe6", color="{_WARN}", penwidth=2'
        yield f'host [label={_quoted(HOST_NAME)}, {style}, fontcolor="{_WARN}"];'
    for seat, found in of_host.items():
        label = _quoted(in_host(picture, seat, found))
        yield f'{_name(seat)} -- host [label={label}, color="{_WARN}", fontcolor="{_WARN}"];'


def _process(picture: Picture, seat: Seat, alone: Sequence[NamespaceType]) -> str:
    process = picture.process(seat)
    own = f"\nalone: {words(alone)}" if alone else ""
    dashed = ', style="rounded,dashed"' if process.kind == "sandbox" else ""
    return f"label={_quoted(process_name(process) + own)}{dashed}"


def _circle(at: int, text: str, *, bad: bool) -> str:
    if bad:
        look = f'fillcolor="#fdebe6", color="{_WARN}", fontcolor="{_WARN}"'
        return f"s{at} [label={_quoted(f'≠ {text}')}, shape=ellipse, style=filled, {look}];"
    look = 'fillcolor="#dce8f9", color="#1a3f78", fontcolor="#1a3f78"'
    return f"s{at} [label={_quoted(text)}, shape=ellipse, style=filled, {look}];"


def _name(seat: Seat) -> str:
    return f"p{seat.pod}_{seat.process}"


def _quoted(text: str) -> str:
    r"""A double-quoted string; a backslash in it stands for itself, but for `\n`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
