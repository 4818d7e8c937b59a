"""The picture as a graph for Graphviz: pods are boxes, what their processes share stands between.

Source: the DOT language, https://graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nsledger.model.namespaces import NamespaceType
from nsledger.query.sharing_graph import ProcessIndex, SharingGraph
from nsledger.render.diagram import HOST_NAME, lines, process_name
from nsledger.state.matrix import Process

_WARN: Final = "#a92a14"
_HEAD: Final = """\
graph nsledger {
  rankdir=LR; compound=true; fontname="sans-serif"; nodesep=0.15; ranksep=0.9;
  node [fontname="sans-serif", fontsize=11, shape=box, style="rounded,filled", fillcolor="#ffffff", color="#8a8f96"];
  edge [fontname="sans-serif", fontsize=10, color="#8a8f96"];
"""  # noqa: E501 - as Graphviz reads it


def draw(picture: SharingGraph, types: Sequence[NamespaceType] = ()) -> str:
    """The graph; of `types` only, if there are any."""
    return _HEAD + "".join(f"  {line}\n" for line in lines(picture, types, _Dot())) + "}\n"


class _Dot:
    """Implements `picture_graph.Language`."""

    def pod_begins(self, pod: int, name: str) -> Sequence[str]:
        return (
            f"subgraph cluster_{pod} {{",
            f'  label={_quoted(name)}; style="rounded"; color="#c9ccd0";',
        )

    def pod_ends(self) -> str:
        return "}"

    def process(self, member: ProcessIndex, process: Process, alone: str) -> str:
        own = f"\nalone: {alone}" if alone else ""
        dashed = ', style="rounded,dashed"' if process.kind == "sandbox" else ""
        return f"{_name(member)} [label={_quoted(process_name(process) + own)}{dashed}];"

    def group(self, at: int, text: str, *, bad: bool) -> str:
        if bad:
            look = f'fillcolor="#fdebe6", color="{_WARN}", fontcolor="{_WARN}"'
            return f"s{at} [label={_quoted(f'≠ {text}')}, shape=ellipse, style=filled, {look}];"
        look = 'fillcolor="#dce8f9", color="#1a3f78", fontcolor="#1a3f78"'
        return f"s{at} [label={_quoted(text)}, shape=ellipse, style=filled, {look}];"

    def in_group(self, member: ProcessIndex, at: int) -> str:
        return f"{_name(member)} -- s{at};"

    def host(self) -> str:
        style = f'shape=octagon, style=filled, fillcolor="#fdebe6", color="{_WARN}", penwidth=2'
        return f'host [label={_quoted(HOST_NAME)}, {style}, fontcolor="{_WARN}"];'

    def in_host(self, member: ProcessIndex, text: str) -> str:
        look = f'color="{_WARN}", fontcolor="{_WARN}"'
        return f"{_name(member)} -- host [label={_quoted(text)}, {look}];"


def _name(member: ProcessIndex) -> str:
    return f"p{member.pod}_{member.process}"


def _quoted(text: str) -> str:
    r"""A double-quoted string; a backslash in it stands for itself, but for `\n`."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
