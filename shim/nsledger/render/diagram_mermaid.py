"""The picture as a Mermaid flowchart: for Markdown that is shown where Mermaid is drawn.

Source: https://mermaid.js.org/syntax/flowchart.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from nsledger.model.namespaces import NamespaceType
from nsledger.query.sharing_graph import ProcessIndex, SharingGraph
from nsledger.render.diagram import HOST_NAME, lines, process_name
from nsledger.state.matrix import Process

_CLASSES: Final = """\
  classDef host fill:#fdebe6,stroke:#a92a14,stroke-width:2px,color:#a92a14
  classDef bad fill:#fdebe6,stroke:#a92a14,color:#a92a14
  classDef shared fill:#dce8f9,stroke:#1a3f78,color:#1a3f78
  classDef sandbox stroke-dasharray:4 3
"""
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 _./-]")
"""Written as numbers, so that no name can end a label, a line or the diagram."""


def draw(picture: SharingGraph, types: Sequence[NamespaceType] = ()) -> str:
    """The flowchart; of `types` only, if there are any."""
    drawn = "".join(f"  {line}\n" for line in lines(picture, types, _Mermaid()))
    return f"flowchart LR\n{drawn}{_CLASSES}"


class _Mermaid:
    """Implements `picture_graph.Language`."""

    def pod_begins(self, pod: int, name: str) -> Sequence[str]:
        return (f'subgraph p{pod} ["{_label(name)}"]',)

    def pod_ends(self) -> str:
        return "end"

    def process(self, member: ProcessIndex, process: Process, alone: str) -> str:
        own = f"<br>alone: {alone}" if alone else ""
        style = ":::sandbox" if process.kind == "sandbox" else ""
        return f'{_name(member)}["{_label(process_name(process))}{own}"]{style}'

    def group(self, at: int, text: str, *, bad: bool) -> str:
        return f's{at}(["{_label(f"≠ {text}" if bad else text)}"]):::{"bad" if bad else "shared"}'

    def in_group(self, member: ProcessIndex, at: int) -> str:
        return f"{_name(member)} --- s{at}"

    def host(self) -> str:
        return f'host{{{{"{_label(HOST_NAME)}"}}}}:::host'

    def in_host(self, member: ProcessIndex, text: str) -> str:
        return f'{_name(member)} ---|"{_label(text)}"| host'


def _name(member: ProcessIndex) -> str:
    return f"p{member.pod}r{member.process}"


def _label(text: str) -> str:
    return _UNSAFE.sub(lambda one: f"#{ord(one[0])};", text)
