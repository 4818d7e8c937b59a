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
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from nsledger.model.judgement import HOST, UNKNOWN
from nsledger.model.namespaces import NamespaceType
from nsledger.query.history import History, Span
from nsledger.query.sharing_graph import SharingGraph
from nsledger.render.explanation import explain
from nsledger.render.matrix import sharing_cell
from nsledger.render.text import Screen, visible
from nsledger.state.coverage import Unwatched
from nsledger.state.findings import Finding
from nsledger.state.matrix import ORDER, Cell, Matrix, Process
from nsledger.state.pod_summary import pod_line

# What the page of `nsledger report` is drawn from: values of the domain, as its script reads
# them.
#
# Nothing is decided here or in the script: groups, verdicts, findings and spans are the domain's,
# the
# words of a cell are those of `nsledger show`. All text is made `visible`, so that no control
# character and no mark that turns the direction of writing is in the page at all.

_SCREEN: Final = Screen(unicode=True)
_PLACE: Final = {type_: at for at, type_ in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Report:
    """All that a page tells."""

    picture: SharingGraph
    history: History
    findings: Sequence[Finding]
    """Those about the pods of the picture, and about the node."""
    at: str | None
    unwatched: Sequence[Unwatched]
    """When nobody watched, if `at` is in it."""
    left_out: int
    """Pods that are gone and were too many."""
    utc: bool


class _Cell(msgspec.Struct, array_like=True):
    kind: str
    """`host`, `usual` (the host's, as of every ordinary pod), `group`, `alone` or `unknown`."""
    sign: str
    word: str
    ino: int | None
    ns_id: str | None
    requested: str | None
    assigned: str | None
    verdict: str | None
    reason: str
    changed: tuple[int, ...]


class _Process(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str
    name: str
    id: str
    attempt: int = 0
    image: str = ""
    pid: int | None = None
    state: str
    since: str | None = None
    seen_since: bool = False
    until: str | None = None
    privileged: bool = False
    cells: list[_Cell]


class _Pod(msgspec.Struct, omit_defaults=True, kw_only=True):
    k8s_namespace: str
    name: str
    full_name: str
    id: str
    uid: str = ""
    handler: str = ""
    ips: tuple[str, ...] = ()
    state: str
    since: str | None = None
    until: str | None = None
    host: list[int]
    """Places of the types in which it uses the host's and an ordinary pod does not."""
    bad: list[str] = []
    """Why layers disagree, or what changed, in one line each."""
    earlier: int = 0
    findings: list[int] = []
    """Places of those about it in the list of findings."""
    processes: list[_Process]
    why: list[tuple[int, str, str, tuple[int, ...]]]
    """Type, kind, sentence and records."""


class _Namespace(msgspec.Struct, array_like=True):
    type: int
    ino: int | None
    ns_id: str | None
    host: bool
    members: tuple[tuple[int, int], ...]


class _Span(msgspec.Struct, array_like=True):
    pod: int
    container: str
    attempt: int
    since: str
    seen_since: bool
    until: str | None
    end: str | None
    inodes: list[int | None]
    """By type; None where it had none that was read."""
    hosts: list[int]


class _Finding(msgspec.Struct, omit_defaults=True, kw_only=True):
    kind: str
    severity: str
    pod: str = ""
    container: str = ""
    summary: str
    first: str
    last: str
    ongoing: bool = False
    records: tuple[int, ...] = ()
    remedy: str


def page_data(report: Report) -> bytes:
    """JSON for the page's script."""
    picture, history = report.picture, report.history
    places = {matrix.pod.pod_sandbox_id: at for at, matrix in enumerate(picture.pods)}
    node = history.node
    told = {
        "types": ORDER,
        "usual": [_PLACE[type_] for type_ in ORDER if type_ in picture.usual],
        "utc": report.utc,
        "at": report.at,
        "unwatched": [(one.since, one.until, one.reason) for one in report.unwatched],
        "leftOut": report.left_out,
        "node": {
            "name": node.node_name if node else "",
            "kernel": node.kernel_release if node else "",
            "version": node.version if node else "",
            "cgroup": node.cgroup_version if node else 0,
            "boot": history.boot_id,
            "ledger": history.ledger_id,
            "first": history.first,
            "last": history.last,
        },
        "pods": [_pod(matrix, picture.usual, report.findings) for matrix in picture.pods],
        "namespaces": [
            _Namespace(
                _PLACE[one.type],
                one.identity.ino if one.identity else None,
                one.identity.ns_id if one.identity else None,
                one.is_host,
                tuple((member.pod, member.process) for member in one.members),
            )
            for one in picture.namespaces
        ],
        "spans": [_span(span, places[span.owner.pod.pod_sandbox_id]) for span in history.spans()],
        "holes": [(one.since, one.until, one.reason) for one in history.holes],
        "findings": [_finding(one) for one in report.findings],
    }
    return msgspec.json.encode(_visible(msgspec.to_builtins(told)))


def _pod(matrix: Matrix, usual: AbstractSet[NamespaceType], findings: Sequence[Finding]) -> _Pod:
    line = pod_line(matrix)
    return _Pod(
        k8s_namespace=matrix.pod.k8s_namespace,
        name=matrix.pod.name,
        full_name=matrix.pod.full_name or "?",
        id=matrix.pod.pod_sandbox_id,
        uid=matrix.pod.uid,
        handler=matrix.pod.runtime_handler,
        ips=matrix.ips,
        state=matrix.state,
        since=matrix.since,
        until=matrix.until,
        host=[_PLACE[type_] for type_ in line.host if type_ not in usual],
        bad=[*_mismatches(matrix), *_changes(matrix)],
        earlier=matrix.earlier_attempts,
        findings=[
            at
            for at, one in enumerate(findings)
            if one.pod and one.pod.pod_sandbox_id == matrix.pod.pod_sandbox_id
        ],
        processes=[_process(process, usual) for process in matrix.processes],
        why=[
            (_PLACE[of_type.type], one.kind, one.text, one.records)
            for of_type in explain(matrix).types
            for one in of_type.sentences
        ],
    )


def _mismatches(matrix: Matrix) -> Iterable[str]:
    for process, type_, cell in matrix.mismatches():
        yield f"{process.name or process.id[:13]} {type_}: {cell.reason}"


def _changes(matrix: Matrix) -> Iterable[str]:
    for process, type_, _ in matrix.changes():
        yield f"{process.name or process.id[:13]} {type_}: changed since it started"


def _process(process: Process, usual: AbstractSet[NamespaceType]) -> _Process:
    return _Process(
        kind=process.kind,
        name=process.name or process.id[:13] or "?",
        id=process.id,
        attempt=process.attempt if process.kind == "container" else 0,
        image=process.image,
        pid=process.pid,
        state=process.state,
        since=process.since,
        seen_since=process.seen_since,
        until=process.until,
        privileged=process.privileged,
        cells=[_cell(process, type_, usual) for type_ in ORDER],
    )


def _cell(process: Process, type_: NamespaceType, usual: AbstractSet[NamespaceType]) -> _Cell:
    cell, drawn = process.namespaces[type_], sharing_cell(process, type_, _SCREEN)
    return _Cell(
        kind=_kind(cell, is_usual=type_ in usual),
        sign=drawn.sign.strip(),
        word=drawn.word,
        ino=cell.actual.ino if cell.actual else None,
        ns_id=cell.actual.ns_id if cell.actual else None,
        requested=cell.requested,
        assigned=cell.assigned,
        verdict=cell.verdict,
        reason=cell.reason or (process.unobservable if cell.sharing == UNKNOWN else ""),
        changed=cell.changed,
    )


def _kind(cell: Cell, *, is_usual: bool) -> str:
    if cell.sharing == HOST:
        return "usual" if is_usual else "host"
    if cell.group:
        return "group"
    return "unknown" if cell.sharing == UNKNOWN else "alone"


def _span(span: Span, pod: int) -> _Span:
    inodes = [span.namespaces[one].ino if one in span.namespaces else None for one in ORDER]
    return _Span(
        pod=pod,
        container=span.owner.container.name or span.owner.container.container_id[:13],
        attempt=span.owner.container.attempt,
        since=span.since,
        seen_since=span.seen_since,
        until=span.until,
        end=span.end,
        inodes=inodes,
        hosts=[_PLACE[type_] for type_ in ORDER if type_ in span.hosts],
    )


def _finding(one: Finding) -> _Finding:
    container = one.container
    return _Finding(
        kind=one.kind,
        severity=one.severity,
        pod=one.pod.full_name or "?" if one.pod else "",
        container=container.name or container.container_id[:13] if container else "",
        summary=one.summary,
        first=one.first_time,
        last=one.last_time,
        ongoing=one.ongoing,
        records=one.records,
        remedy=one.remedy,
    )


def _visible(value: object) -> object:
    """The same, in which every string can be shown as it is."""
    match value:
        case str():
            return visible(value)
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {key: _visible(item) for key, item in items}
        case list() | tuple():
            return [_visible(item) for item in cast("Sequence[object]", value)]
        case _:
            return value


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
    node = report.history.node
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
