"""Looks at one sandbox or container: asks the runtime, reads /proc, judges, and puts it on record.

Whoever calls it says how it came to look (`source`): after a call that the shim saw, or because the
thing was found. What could not be looked at stays unknown to the node state, and is looked at
again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Final

from nsledger.auditor.node_state import Known, NodeState, paths_of
from nsledger.auditor.runtime_status import (
    NO_HOST_PID,
    RuntimeStatusClient,
    StatusUnavailable,
    why_unobservable,
)
from nsledger.cri.status import ContainerState, ContainerStatus, SandboxStatus
from nsledger.model.events import ContainerAssigned, ContainerStarted, PodAssigned, Source
from nsledger.model.namespaces import AssignedNamespaces, NamespaceReading, RequestedNamespaces
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.interfaces import is_bridge, is_name
from nsledger.proc.namespaces import read_namespaces
from nsledger.rules.judgement import judge_sandbox
from nsledger.state.pod import Container

_INTERFACES_LIMIT: Final = 16
"""Of one pod: more is no pod's."""


class Observer:
    """Belongs to the follow-up worker's thread, as the node state does."""

    def __init__(self, *, runtime_status: RuntimeStatusClient, node_state: NodeState) -> None:
        self._runtime_status = runtime_status
        self._node_state = node_state

    def look_at_sandbox(self, pod: PodRef, *, source: Source, audit_id: str = "") -> None:
        """Ask for a sandbox, and record what it was assigned and has."""
        status = self._runtime_status.sandbox(pod.pod_sandbox_id)
        if isinstance(status, StatusUnavailable):
            self._node_state.record(
                PodAssigned(source=source, audit_id=audit_id, pod=pod, unobservable=status.reason)
            )
            return
        self.saw_sandbox(pod, status, source=source, audit_id=audit_id)

    def look_at_created(self, container_id: str, *, source: Source, audit_id: str = "") -> None:
        """Ask for a container, and record what it was assigned; it need not have a process yet."""
        status = self._runtime_status.container(container_id)
        self.saw_created(container_id, status, source=source, audit_id=audit_id)

    def look_at_started(self, container_id: str, *, source: Source) -> None:
        """Record what a started container has, and how the three layers compare."""
        known = self._node_state.workloads.container(container_id)
        witnessed = known[1].witnessed if known else None
        status = None if witnessed and known else self._runtime_status.container(container_id)
        if known is None and status is not None:
            self.saw_created(container_id, status, source=source)
        self.saw_started(container_id, status, source=source)

    def saw_sandbox(
        self,
        pod: PodRef,
        status: SandboxStatus,
        *,
        source: Source,
        audit_id: str = "",
        not_before: str = "",
    ) -> None:
        """Record what the runtime told of a sandbox, and what its process has."""
        process = status.process
        unobservable = why_unobservable(process, ended=not status.ready)
        actual = None if unobservable or process.pid is None else read_namespaces(process.pid)
        asked = self._node_state.workloads.requested_by(audit_id)
        repeated = status.requested if status.requested != RequestedNamespaces() else None
        requested = asked or status.requested
        host, assigned = self._node_state.host, process.assigned
        self._node_state.record(
            PodAssigned(
                source=source,
                audit_id=audit_id,
                not_before=not_before,
                pod=pod if pod.name else status.pod,
                requested=None if asked else repeated,
                assigned=assigned,
                netns_path=status.netns_path,
                ips=status.ips,
                host_interfaces=_of_the_pod_alone(status.host_interfaces),
                runtime_type=process.runtime_type,
                actual=actual,
                judgements=judge_sandbox(
                    actual, requested, assigned, host, paths_of(assigned, actual)
                )
                if actual
                else {},
                unobservable=unobservable,
            )
        )
        self._node_state.known[pod.pod_sandbox_id] = Known(
            process.pid, assigned, process.runtime_type
        )

    def saw_created(
        self,
        container_id: str,
        status: ContainerStatus | StatusUnavailable,
        *,
        source: Source,
        audit_id: str = "",
        not_before: str = "",
    ) -> None:
        """Record what the runtime told of a container, if only that it did not tell."""
        pod, container = PodRef(), ContainerRef(container_id=container_id)
        requested: RequestedNamespaces | None = None
        assigned: AssignedNamespaces = {}
        if not isinstance(status, StatusUnavailable):
            pod, container = self._node_state.pod_ref(status.pod_sandbox_id), status.container
            # What a call asked for is on record by its audit id.
            requested = None if audit_id else status.requested
            assigned = status.process.assigned
        self._node_state.record(
            ContainerAssigned(
                source=source,
                audit_id=audit_id,
                not_before=not_before,
                pod=pod,
                container=container,
                requested=requested,
                assigned=assigned,
            )
        )

    def saw_started(
        self,
        container_id: str,
        status: ContainerStatus | StatusUnavailable | None,
        *,
        source: Source,
        not_before: str = "",
    ) -> None:
        """Record what a container's process has; `status` may be None if the hook saw it."""
        known = self._node_state.workloads.container(container_id)
        if known is None:
            return
        pod, container = known
        actual, unobservable = _process_of(container, status)
        self._node_state.record(
            ContainerStarted(
                source=source,
                not_before=not_before,
                pod=pod.ref,
                container=container.ref,
                actual=actual,
                judgements=self._node_state.judge(pod, container, actual) if actual else {},
                witnessed=container.witnessed is not None,
                unobservable=unobservable,
            )
        )
        if not isinstance(status, StatusUnavailable) or actual is not None:
            self._node_state.known[container_id] = Known(
                actual.pid if actual else None, container.assigned
            )


def _of_the_pod_alone(names: Iterable[str]) -> tuple[str, ...]:
    """Those of a sandbox's interfaces on the node that are no bridge and can be named so."""
    own = (name for name in names if is_name(name) and not is_bridge(name))
    return tuple(itertools.islice(own, _INTERFACES_LIMIT))


def _process_of(
    container: Container, status: ContainerStatus | StatusUnavailable | None
) -> tuple[NamespaceReading | None, str]:
    """What a container's process has, or why there is nothing to read.

    It is the process that the hook saw, if it saw one, and no other that got its pid since.
    """
    witnessed = container.witnessed
    if witnessed is not None:
        return read_namespaces(witnessed.pid, start_ticks=witnessed.start_ticks), ""
    if status is None or isinstance(status, StatusUnavailable):
        return None, status.reason if status else NO_HOST_PID
    unobservable = why_unobservable(status.process, ended=status.state is ContainerState.EXITED)
    if unobservable or status.process.pid is None:
        return None, unobservable
    return read_namespaces(status.process.pid), ""
