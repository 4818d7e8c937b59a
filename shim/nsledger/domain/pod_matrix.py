"""From a folded pod to its matrix: pure."""

from __future__ import annotations

from nsledger.domain.events import Source
from nsledger.domain.groups import grouped
from nsledger.domain.judgement import Verdict
from nsledger.domain.matrix import ORDER, Cell, Matrix, Process, State
from nsledger.domain.namespaces import (
    NEW,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.domain.pod import Container, Pod
from nsledger.domain.sharing import CONTAINER_PREFIX, UNKNOWN, container_sharing, sandbox_sharing
from nsledger.domain.surroundings import Surroundings
from nsledger.domain.unwatched import Unwatched


def pod_matrix(
    pod: Pod,
    host: NamespaceReading | None,
    *,
    all_attempts: bool = False,
    at: str | None = None,
    unwatched: tuple[Unwatched, ...] = (),
) -> Matrix:
    """The matrix of `pod`; `host` is what counts as the host's on the boot of the last record."""
    newest = {container.ref.name: container for container in pod.containers.values()}
    shown = [
        container
        for container in pod.containers.values()
        if all_attempts or newest[container.ref.name] is container
    ]
    rows = [_sandbox(pod, host), *(_container(container, pod, host) for container in shown)]
    return Matrix(
        pod=pod.ref,
        state=rows[0].state,
        since=pod.since or None,
        until=pod.until or None,
        netns_path=pod.netns_path,
        ips=pod.ips,
        processes=tuple(grouped(rows)),
        earlier_attempts=len(pod.containers) - len(shown),
        at=at,
        unwatched=unwatched,
    )


def _sandbox(pod: Pod, host: NamespaceReading | None) -> Process:
    sharing: dict[NamespaceType, str] = {}
    if pod.actual is not None and host is not None and not pod.ended:
        sharing = {type_: sandbox_sharing(type_, pod.actual, host) for type_ in ORDER}
    return Process(
        kind="sandbox",
        id=pod.ref.pod_sandbox_id,
        name="sandbox",
        attempt=pod.ref.attempt,
        image="",
        pid=None if pod.actual is None else pod.actual.pid,
        state=_state(ended=pod.ended, seen=bool(pod.since)),
        since=pod.since or None,
        seen_since=pod.source is Source.RECONCILE,
        until=pod.until or None,
        unobservable=pod.unobservable,
        evidence=tuple(sorted(pod.evidence)),
        records=pod.records,
        uid_map=() if pod.actual is None else pod.actual.uid_map,
        namespaces=_cells(pod, sharing),
    )


def _container(container: Container, pod: Pod, host: NamespaceReading | None) -> Process:
    actual = container.actual
    sharing: dict[NamespaceType, str] = {}
    if actual is not None and host is not None and container.running:
        siblings = pod.running_siblings(container.ref.container_id)
        around = Surroundings(host=host, sandbox=pod.actual, siblings=siblings)
        sharing = {type_: container_sharing(type_, actual, around) for type_ in ORDER}
        for type_, identity in actual.namespaces.items():
            if container.assigned.get(type_) == NEW and identity.ns_id is None:
                sharing[type_] = _unless_reused(sharing[type_])
    return Process(
        kind="container",
        id=container.ref.container_id,
        name=container.ref.name,
        attempt=container.ref.attempt,
        image=container.ref.image,
        pid=None if actual is None else actual.pid,
        state=_state(ended=container.ended, seen=bool(container.since)),
        since=container.since or None,
        seen_since=container.source is Source.RECONCILE,
        until=container.until or None,
        unobservable=container.unobservable,
        evidence=tuple(sorted(container.evidence)),
        records=container.records,
        privileged=container.privileged,
        uid_map=() if actual is None else actual.uid_map,
        namespaces=_cells(container, sharing),
    )


def _unless_reused(sharing: str) -> str:
    """A sibling that has the number of a new namespace may be one that ended in silence."""
    return UNKNOWN if sharing.startswith(CONTAINER_PREFIX) else sharing


def _state(*, ended: bool, seen: bool) -> State:
    if ended:
        return "ended"
    return "running" if seen else "created"


def _cells(told: Pod | Container, sharing: dict[NamespaceType, str]) -> dict[NamespaceType, Cell]:
    """One cell per type; `sharing` is how it looks by the last readings of all.

    That is what is said of types that the daemon did not judge, or that changed since it did.
    """
    cells: dict[NamespaceType, Cell] = {}
    actual, requested = told.actual, told.requested
    unjudged = Verdict.UNOBSERVABLE if told.unobservable else None
    for type_ in ORDER:
        judgement = told.judgements.get(type_)
        missing = "" if actual is None else actual.missing.get(type_, "")
        changed = tuple(change.seq for change in told.changes if type_ in change.changed)
        judged = judgement is not None and not changed
        cells[type_] = Cell(
            sharing=judgement.sharing if judgement and judged else sharing.get(type_, UNKNOWN),
            verdict=judgement.verdict if judgement else unjudged,
            reason=judgement.reason if judgement else missing or told.unobservable,
            rule=judgement.rule if judgement else "",
            differ=judgement.differ if judgement else (),
            requested=None if requested is None else _mode(requested, type_),
            assigned=told.assigned.get(type_),
            actual=None if actual is None else actual.namespaces.get(type_),
            changed=changed,
        )
    return cells


def _mode(requested: RequestedNamespaces, type_: NamespaceType) -> str | None:
    mode = requested.mode(type_)
    if mode is None:
        return None
    if mode is NamespaceMode.TARGET and requested.target_id:
        return f"{mode} {requested.target_id}"
    return mode.value if isinstance(mode, NamespaceMode) else f"mode {mode}"
