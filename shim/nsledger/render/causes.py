"""Why a process is in the namespace it is in: by its spec, and by what CRI asked for.

A cause is only given where the layers were compared and agree; in what words is a closed set.

Source: CRI `NamespaceOption`; Kubernetes `pkg/kubelet/kuberuntime/util` says which field of a pod
becomes which mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nsledger.model.judgement import HOST, Verdict
from nsledger.model.namespaces import INHERITED, NEW, NamespaceMode, NamespaceType
from nsledger.state.matrix import Matrix, Process


def label(process: Process) -> str:
    """`app`, `app #2` of a restarted one, `the sandbox`."""
    if process.kind == "sandbox":
        return "the sandbox"
    name = process.name or process.id[:13] or "?"
    return f"{name} #{process.attempt}" if process.attempt else name


def listed(names: Sequence[str]) -> str:
    """`app`, `app and sidecar`, `app, sidecar and shell`."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


_CRI_FIELDS: Final = {
    NamespaceType.NET: "network",
    NamespaceType.IPC: "ipc",
    NamespaceType.PID: "pid",
    NamespaceType.USER: "userns",
}
"""What CRI can ask of; the other types have no field."""

_POD_ASKED: Final = {
    (NamespaceType.NET, NamespaceMode.POD): "the pod did not ask for hostNetwork",
    (NamespaceType.NET, NamespaceMode.NODE): "the pod asked for hostNetwork",
    (NamespaceType.IPC, NamespaceMode.POD): "the pod did not ask for hostIPC",
    (NamespaceType.IPC, NamespaceMode.NODE): "the pod asked for hostIPC",
    (NamespaceType.PID, NamespaceMode.POD): "the pod asked for shareProcessNamespace",
    (
        NamespaceType.PID,
        NamespaceMode.CONTAINER,
    ): "the pod asked for neither shareProcessNamespace nor hostPID",
    (NamespaceType.PID, NamespaceMode.NODE): "the pod asked for hostPID",
    (NamespaceType.USER, NamespaceMode.POD): "the pod asked for hostUsers: false",
    (NamespaceType.USER, NamespaceMode.NODE): "the pod asked for the node's users",
}
"""What a pod spec says that becomes this mode for the sandbox and for its containers."""

_MODES: Final = {
    NamespaceMode.POD: "the pod's",
    NamespaceMode.CONTAINER: "its own",
    NamespaceMode.NODE: "the node's",
    NamespaceMode.TARGET: "another container's",
}


def asked(requested: str) -> str:
    """`its own (CONTAINER)`, of a cell's `requested`."""
    mode = requested.partition(" ")[0]
    words = _MODES.get(NamespaceMode(mode)) if mode in _MODES else None
    return f"{words} ({mode})" if words else f"something in a {requested} that is not known here"


def agrees(process: Process, type_: NamespaceType) -> bool:
    """Whether the layers were compared, agree, and are still so: then there is a cause."""
    cell = process.namespaces[type_]
    return cell.verdict in {Verdict.MATCH, Verdict.NOT_REQUESTED} and not cell.changed


def how(
    type_: NamespaceType, rows: Sequence[Process], matrix: Matrix, *, by_name: bool = False
) -> str:
    """How `rows`, which are in one namespace or each in its own, were put there by their specs."""
    by_assignment: dict[str | None, list[Process]] = {}
    for row in rows:
        by_assignment.setdefault(row.namespaces[type_].assigned, []).append(row)
    by_name = by_name or len(by_assignment) > 1
    return ", and ".join(
        _clause(type_, assigned, some, matrix, by_name=by_name)
        for assigned, some in by_assignment.items()
    )


def _clause(
    type_: NamespaceType,
    assigned: str | None,
    rows: Sequence[Process],
    matrix: Matrix,
    *,
    by_name: bool,
) -> str:
    one = len(rows) == 1
    who = {1: "it", 2: "both"}.get(len(rows), f"all {len(rows)}")
    if by_name:
        who = listed([label(row) for row in rows])
    match assigned:
        case None:
            return f"what the runtime assigned to {who} is not on record"
        case _ if assigned == NEW:
            return f"the runtime made a new one for {who}"
        case _ if assigned == INHERITED:
            keeps = "it keeps" if one else "they keep"
            return f"the OCI spec gives {who} no {type_} namespace, so {keeps} the node's"
        case _:
            return f"{who} joined {assigned}{_whose(type_, assigned, matrix)}"


def _whose(type_: NamespaceType, path: str, matrix: Matrix) -> str:
    for process in matrix.processes:
        if process.pid is not None and path == f"/proc/{process.pid}/ns/{type_}":
            return ", the sandbox's" if process.kind == "sandbox" else f", {label(process)}'s"
    return ""


def why(type_: NamespaceType, rows: Sequence[Process], matrix: Matrix) -> str:
    """What CRI asked of `rows`, or that nothing can be or was asked; beginning with its joint."""
    if type_ not in _CRI_FIELDS:
        return _unasked(type_, rows, matrix)
    if any(row.records.requested is None for row in rows):
        return "; what was asked for is not on record"
    by_mode: dict[str | None, list[Process]] = {}
    for row in rows:
        by_mode.setdefault(row.namespaces[type_].requested, []).append(row)
    reasons = [_reason(type_, mode, some, matrix) for mode, some in by_mode.items()]
    return f" because {', and because '.join(reasons)}"


def _reason(type_: NamespaceType, mode: str | None, rows: Sequence[Process], matrix: Matrix) -> str:
    if mode is None and type_ is NamespaceType.USER:
        return "CRI asked for no user namespace"
    if mode is None:
        return "CRI asked nothing of it"
    return f"{_asker(type_, mode, rows, matrix)} (CRI {_CRI_FIELDS[type_]}={mode[:20]})"


def _asker(type_: NamespaceType, mode: str, rows: Sequence[Process], matrix: Matrix) -> str:
    word, _, target_id = mode.partition(" ")
    if word == NamespaceMode.TARGET:
        target = next((label(one) for one in matrix.processes if one.id == target_id), "another")
        return f"{listed([label(row) for row in rows])} was asked to join {target}"
    if word not in _MODES:
        return f"CRI asked with a {mode}, which this version does not know"
    by_pod = matrix.processes[0].namespaces[type_].requested
    said = _POD_ASKED.get((type_, NamespaceMode(word)))
    if said is not None and by_pod == mode:
        return said
    return f"{listed([label(row) for row in rows])} asked for {_MODES[NamespaceMode(word)]}"


def _unasked(type_: NamespaceType, rows: Sequence[Process], matrix: Matrix) -> str:
    """Of a type that CRI has no field for: what it goes with, where that is known."""
    if type_ is NamespaceType.UTS and all(row.namespaces[type_].sharing == HOST for row in rows):
        network = matrix.processes[0].namespaces[NamespaceType.NET].requested
        if network == NamespaceMode.NODE:
            return ", as goes with hostNetwork; CRI cannot ask for it"
    if type_ is NamespaceType.CGROUP and rows and all(row.privileged for row in rows):
        return " because it is privileged" if len(rows) == 1 else " because they are privileged"
    return "; CRI cannot ask for it, the runtime decides"
