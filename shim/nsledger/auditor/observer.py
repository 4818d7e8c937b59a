"""Looks at one sandbox or container: asks the runtime, looks at the kernel, judges, records.

Whoever calls it says how it came to look (`source`): after a call that the shim saw, or because
the thing was found. What could not be looked at stays unknown, and is looked at again.

What a sandbox or container *has* is put together from all there is of it, the best evidence first:

    process     /proc/<pid>/ns, if there is one and it has not ended
    hook        what the OCI hook read of the same process, for types that /proc tells no more
    pin         where a sandbox's spec names a path: the namespace that is mounted there

and of nothing else: what a sandboxer runs inside of itself has no namespace on this kernel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from nsledger.auditor import oci_bundle
from nsledger.auditor.node_state import Known, NodeState, paths_of
from nsledger.auditor.runtime_status import (
    ENDED,
    NO_HOST_PID,
    RuntimeStatusClient,
    StatusUnavailable,
    is_sandboxed_reason,
    sandboxed_by,
    why_unobservable,
)
from nsledger.cri.status import ContainerState, ContainerStatus, ProcessStatus, SandboxStatus
from nsledger.model.events import ContainerAssigned, ContainerStarted, PodAssigned, Source
from nsledger.model.judgement import Judgement, Verdict
from nsledger.model.namespaces import (
    AssignedNamespaces,
    NamespaceReading,
    NamespaceType,
    ReadingSource,
    RequestedNamespaces,
    pinned_paths,
)
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.interfaces import is_bridge, is_name
from nsledger.proc.namespaces import PROCESS_ENDED, read_namespaces
from nsledger.proc.nsfs import read_pins
from nsledger.proc.sandboxers import program_is_sandboxer, sandboxer_of
from nsledger.rules.judgement import judge_sandbox
from nsledger.state.pod import Container, Pod

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

    def look_at_created(
        self,
        container_id: str,
        *,
        source: Source,
        audit_id: str = "",
        asked: tuple[PodRef, ContainerRef] = (PodRef(), ContainerRef()),
    ) -> bool:
        """Ask for a container, and record what it was assigned; it need not have a process yet.

        `asked` is what its request told of it. False if the runtime has no such container (any
        more): whether that is a gap depends on who removed it.
        """
        status = self._runtime_status.container(container_id, may_be_gone=bool(audit_id))
        self.saw_created(container_id, status, source=source, audit_id=audit_id, asked=asked)
        return not (isinstance(status, StatusUnavailable) and status.gone)

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
        process = _completed(status.process, pod.pod_sandbox_id)
        actual, unobservable = _sandbox_has(process, pod.pod_sandbox_id, ready=status.ready)
        asked = self._node_state.workloads.requested_by(audit_id)
        repeated = status.requested if status.requested != RequestedNamespaces() else None
        requested = asked or status.requested
        host, assigned = self._node_state.host, process.assigned
        self._node_state.record(
            PodAssigned(
                source=source,
                audit_id=audit_id,
                not_before=not_before,
                pod=pod.completed_by(status.pod),
                requested=None if asked else repeated,
                assigned=assigned,
                netns_path=_unless_the_hosts(status.netns_path, actual, host),
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
        asked: tuple[PodRef, ContainerRef] = (PodRef(), ContainerRef()),
    ) -> None:
        """Record what the runtime told of a container, if only that it did not tell.

        What its request (`asked`) or the runtime's list told of it stays known in any case.
        """
        pod, container = asked
        container = ContainerRef(container_id=container_id).completed_by(container)
        requested: RequestedNamespaces | None = None
        assigned: AssignedNamespaces = {}
        if not isinstance(status, StatusUnavailable):
            container = container.completed_by(status.container)
            pod = PodRef(pod_sandbox_id=status.pod_sandbox_id).completed_by(pod)
            # What a call asked for is on record by its audit id.
            requested = None if audit_id else status.requested
            assigned = _completed(status.process, container_id).assigned
        self._node_state.record(
            ContainerAssigned(
                source=source,
                audit_id=audit_id,
                not_before=not_before,
                pod=self._node_state.pod_ref(pod.pod_sandbox_id).completed_by(pod),
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
        if (
            isinstance(status, ContainerStatus)
            and not container.assigned
            and _completed(status.process, container_id).assigned
        ):
            # Created, it had no bundle yet; started, it has.
            self.saw_created(
                container_id,
                status,
                source=source,
                not_before=not_before,
                asked=(pod.ref, container.ref),
            )
            pod, container = self._node_state.workloads.container(container_id) or known
        actual, unobservable = _container_has(pod, container, status)
        judgements = self._node_state.judge(pod, container, actual) if actual else {}
        if actual is not None and _is_the_sandboxes_own(actual, pod, judgements):
            actual, judgements = None, {}
            unobservable = sandboxed_by("what runs the sandbox: they are one process")
        self._node_state.record(
            ContainerStarted(
                source=source,
                not_before=not_before,
                pod=pod.ref,
                container=container.ref,
                actual=actual,
                judgements=judgements,
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


def _completed(process: ProcessStatus, id_: str) -> ProcessStatus:
    """The same, with what the OCI bundle tells where the status told nothing (cri-dockerd)."""
    if process.pid is not None or process.assigned:
        return process
    bundle = oci_bundle.find(id_)
    if bundle is None:
        return process
    return replace(
        process,
        pid=bundle.pid,
        assigned=bundle.assigned,
        binary_name=process.binary_name or bundle.runtime,
    )


def _sandbox_has(
    process: ProcessStatus, id_: str, *, ready: bool
) -> tuple[NamespaceReading | None, str]:
    """What a sandbox has by its process and by what its spec names, or why nothing can be read."""
    unobservable = why_unobservable(process, ended=not ready) or _sandboxer(process, id_)
    if is_sandboxed_reason(unobservable):
        return None, unobservable
    paths = pinned_paths(process.assigned)
    pins = read_pins(paths) if paths else None
    if process.pid is None:
        return (pins, "") if pins is not None and pins.namespaces else (None, unobservable)
    actual = read_namespaces(process.pid).filled_from(pins, ReadingSource.PIN)
    return (actual, "") if actual.namespaces or not _had_ended(actual) else (None, ENDED)


def _container_has(
    pod: Pod, container: Container, status: ContainerStatus | StatusUnavailable | None
) -> tuple[NamespaceReading | None, str]:
    """What a container's process has, or why there is nothing to read.

    It is the process that the hook saw, if it saw one, and no other that got its pid since. If it
    has ended since, the hook's reading is what is known of it.
    """
    id_ = container.ref.container_id
    if is_sandboxed_reason(pod.unobservable):
        return None, pod.unobservable
    witnessed = container.witnessed
    if witnessed is not None and witnessed.pid:
        if found := sandboxer_of(witnessed.pid, id_):
            return None, sandboxed_by(found)
        actual = read_namespaces(witnessed.pid, start_ticks=witnessed.start_ticks)
        actual = actual.filled_from(witnessed, ReadingSource.HOOK)
        return (actual, "") if actual.namespaces or not _had_ended(actual) else (None, ENDED)
    if status is None or isinstance(status, StatusUnavailable):
        return None, status.reason if status else NO_HOST_PID
    process = _completed(status.process, id_)
    exited = status.state is ContainerState.EXITED
    unobservable = why_unobservable(process, ended=exited) or _sandboxer(process, id_)
    if unobservable or process.pid is None:
        return None, unobservable
    actual = read_namespaces(process.pid)
    return (None, ENDED) if _had_ended(actual) and not actual.namespaces else (actual, "")


def _sandboxer(process: ProcessStatus, id_: str) -> str:
    """Why a process's namespaces are not those of what runs in it; empty if they are."""
    found = program_is_sandboxer(process.binary_name)
    if not found and process.pid is not None:
        found = sandboxer_of(process.pid, id_)
    return sandboxed_by(found) if found else ""


def _had_ended(actual: NamespaceReading) -> bool:
    return PROCESS_ENDED.issuperset(actual.missing.values())


def _is_the_sandboxes_own(
    actual: NamespaceReading, pod: Pod, judgements: Mapping[NamespaceType, Judgement]
) -> bool:
    """Whether a container would be its sandbox's process, in what it was to have of its own.

    No OCI runtime of this kernel starts two containers as one process; a sandboxer does, whatever
    its program is called.
    """
    sandbox = pod.actual
    if sandbox is None or (sandbox.pid, sandbox.start_ticks) != (actual.pid, actual.start_ticks):
        return False
    return any(one.verdict is Verdict.MISMATCH for one in judgements.values())


def _unless_the_hosts(path: str, actual: NamespaceReading | None, host: NamespaceReading) -> str:
    """A network namespace's path; empty if it is the host's, as CRI-O mounts it for hostNetwork."""
    has = None if actual is None else actual.namespaces.get(NamespaceType.NET)
    hosts = host.namespaces.get(NamespaceType.NET)
    return "" if has is not None and hosts is not None and has.same_as(hosts) else path
