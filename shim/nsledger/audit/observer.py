"""Looks at one sandbox or container: asks the runtime, reads /proc, judges, and puts it on record.

Whoever calls it says how it came to look (`source`): after a call that the shim saw, or because the
thing was found.
"""

from __future__ import annotations

from typing import Final

from nsledger.audit.inquiry import Inquiry, Unanswered
from nsledger.audit.picture import Known, Picture
from nsledger.domain.events import ContainerAssigned, ContainerStarted, PodAssigned, Source
from nsledger.domain.judgement import judge_sandbox
from nsledger.domain.namespaces import AssignedNamespaces, NamespaceReading
from nsledger.domain.workload import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces

_NO_HOST_PID: Final = "no host pid"


class Observer:
    """Belongs to the witness's thread, as the picture does."""

    def __init__(self, *, inquiry: Inquiry, picture: Picture) -> None:
        self._inquiry = inquiry
        self._picture = picture

    def look_at_sandbox(self, pod: PodRef, *, source: Source, audit_id: str = "") -> None:
        """Record what a sandbox was assigned and has."""
        status = self._inquiry.sandbox(pod.pod_sandbox_id)
        if isinstance(status, Unanswered):
            self._picture.say(
                PodAssigned(source=source, audit_id=audit_id, pod=pod, unobservable=status.reason)
            )
            return
        process = status.process
        actual = None if process.pid is None else read_namespaces(process.pid)
        requested = self._picture.workloads.requested_by(audit_id) or status.requested
        self._picture.say(
            PodAssigned(
                source=source,
                audit_id=audit_id,
                pod=pod if pod.name else status.pod,
                assigned=process.assigned,
                netns_path=status.netns_path,
                ips=status.ips,
                actual=actual,
                judgements=judge_sandbox(actual, requested, process.assigned, self._picture.host)
                if actual
                else {},
                unobservable="" if actual else _NO_HOST_PID,
            )
        )
        self._picture.known[pod.pod_sandbox_id] = Known(process.pid, process.assigned)

    def look_at_created(self, container_id: str, *, source: Source, audit_id: str = "") -> None:
        """Record what a container was assigned; it need not have a process yet."""
        pod, container = PodRef(), ContainerRef(container_id=container_id)
        assigned: AssignedNamespaces = {}
        status = self._inquiry.container(container_id)
        if not isinstance(status, Unanswered):
            pod, container = self._picture.pod_ref(status.pod_sandbox_id), status.container
            assigned = status.process.assigned
        self._picture.say(
            ContainerAssigned(
                source=source,
                audit_id=audit_id,
                pod=pod,
                container=container,
                assigned=assigned,
            )
        )

    def look_at_started(self, container_id: str, *, source: Source) -> None:
        """Record what a started container has, and how the three layers compare."""
        known = self._picture.workloads.container(container_id)
        if known is None:
            self.look_at_created(container_id, source=source)
            known = self._picture.workloads.container(container_id)
        if known is None:
            return
        pod, container = known
        actual = self._read_again(container_id, container.witnessed)
        self._picture.known[container_id] = Known(
            actual.pid if actual else None, container.assigned
        )
        self._picture.say(
            ContainerStarted(
                source=source,
                pod=pod.ref,
                container=container.ref,
                actual=actual,
                judgements=self._picture.judge(pod, container, actual) if actual else {},
                witnessed=container.witnessed is not None,
                unobservable="" if actual else _NO_HOST_PID,
            )
        )

    def _read_again(
        self, container_id: str, witnessed: NamespaceReading | None
    ) -> NamespaceReading | None:
        """Read the process that the hook saw, and no other that got its pid since."""
        if witnessed is not None:
            return read_namespaces(witnessed.pid, start_ticks=witnessed.start_ticks)
        status = self._inquiry.container(container_id)
        if isinstance(status, Unanswered) or status.process.pid is None:
            return None
        return read_namespaces(status.process.pid)
