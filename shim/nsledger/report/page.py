"""The page of `nsledger report`: one file that asks no network for anything.

Style and script stand in it, and the Content-Security-Policy allows exactly these two by their
hashes: nothing else can run, load, or send. The data is JSON in a block that no browser executes,
and the script puts it into the page as text only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
from typing import Final

from nsledger.report.page_data import Report, page_data
from nsledger.report.text import visible

_ASSETS: Final = os.path.join(os.path.dirname(__file__), "assets")
_SCRIPTS: Final = (
    "elements.js",
    "data.js",
    "lazy_list.js",
    "summary.js",
    "pods.js",
    "namespaces.js",
    "timeline.js",
    "findings.js",
    "main.js",
)
"""In the order in which one builds on another."""
_MARK: Final = re.compile(r"@(TITLE|POLICY|STYLE|DATA|SCRIPT)@")


def draw(report: Report) -> str:
    """The page."""
    script = "".join(_asset(name) for name in _SCRIPTS)
    script = f'(() => {{\n"use strict";\n{script}}})();\n'
    style = _asset("page.css")
    node = report.chronicle.node
    parts = {
        "TITLE": html.escape(visible(node.node_name if node else "") or "a node"),
        "POLICY": (
            f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        "STYLE": style,
        "DATA": inert(page_data(report)),
        "SCRIPT": script,
    }
    # In one pass: what is put in is not searched for marks again.
    return _MARK.sub(lambda mark: parts[mark[1]], _asset("page.html"))


def inert(data: bytes) -> str:
    """JSON with the same meaning that no HTML parser can take for a tag, a comment or an entity."""
    text = data.decode()
    for one in "<>&":
        text = text.replace(one, f"\\u{ord(one):04x}")
    return text


def _asset(name: str) -> str:
    with open(os.path.join(_ASSETS, name), encoding="utf-8") as file:
        return file.read()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
