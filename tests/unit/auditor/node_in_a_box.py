"""A recorder on a real ledger, a runtime that answers from a table, this process as everybody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

from nsledger.auditor.annotation_cache import AnnotationCache, Predictions
from nsledger.auditor.call_outcomes import CallOutcomes
from nsledger.auditor.calls_in_flight import InFlight
from nsledger.auditor.drift_recorder import DriftRecorder
from nsledger.auditor.exit_watch import ExitWatch
from nsledger.auditor.follow_up import FollowUpWorker
from nsledger.auditor.idle_gate import IdleGate
from nsledger.auditor.interceptor import CriInterceptor, Policy
from nsledger.auditor.jobs import Asked, FollowUp
from nsledger.auditor.node_state import NodeState
from nsledger.auditor.observer import Observer
from nsledger.auditor.reconcile import Reconciliation
from nsledger.auditor.restore_state import RestoredState
from nsledger.auditor.runtime_status import Runtime, RuntimeStatusClient
from nsledger.cri.client import RuntimeCallError
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.cri.status import (
    ContainerState,
    ContainerStatus,
    ListedContainer,
    ListedSandbox,
    ProcessStatus,
    SandboxStatus,
)
from nsledger.cri.watched_requests import decode_request
from nsledger.ledger.reader import entries
from nsledger.ledger.writer import LedgerWriter
from nsledger.model.events import DaemonStopped, Event, Source, UnknownEvent
from nsledger.model.namespaces import INHERITED, NamespaceType, RequestedNamespaces
from nsledger.model.record import Moment, decode
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.proc.namespaces import read_namespaces
from nsledger.recorder.journal import WriteAhead
from nsledger.recorder.recorder import Recorder
from nsledger.spool.inbox import Inbox

E = TypeVar("E")

ANNOTATING = Policy(annotate=True, sync=False, fail_closed=False)
OF_THE_HOST = dict.fromkeys(NamespaceType, INHERITED)


class FixedClock:
    def now(self) -> Moment:
        return Moment(1_795_000_000_000_000_000, 1, "boot")


@dataclass
class FakeRuntime:
    """Every sandbox and container it knows has `pid` as its process."""

    pid: int | None = field(default_factory=os.getpid)
    unavailable: bool = False
    runtime_type: str = "io.containerd.runc.v2"
    asked: list[str] = field(default_factory=list)

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        self._answer(pod_sandbox_id)
        return SandboxStatus(
            pod=PodRef(pod_sandbox_id=pod_sandbox_id, name="told", k8s_namespace="shop"),
            ready=True,
            requested=RequestedNamespaces(),
            process=self._process(),
            netns_path="/var/run/netns/cni-1",
            ips=("192.0.2.7",),
        )

    def container_status(self, container_id: str) -> ContainerStatus:
        self._answer(container_id)
        return ContainerStatus(
            pod_sandbox_id="s1",
            container=ContainerRef(container_id=container_id, name="app", image="app:1"),
            state=ContainerState.RUNNING,
            process=self._process(),
        )

    def list_pod_sandboxes(self) -> tuple[ListedSandbox, ...]:
        self._answer("list")
        return ()

    def list_containers(self) -> tuple[ListedContainer, ...]:
        self._answer("list")
        return ()

    def close(self) -> None:
        pass

    def _answer(self, id_: str) -> None:
        self.asked.append(id_)
        if self.unavailable:
            raise RuntimeCallError(method="Status", code="DEADLINE_EXCEEDED")

    def _process(self) -> ProcessStatus:
        return ProcessStatus(
            pid=self.pid,
            assigned=OF_THE_HOST,
            uid_mappings=(),
            gid_mappings=(),
            runtime_type=self.runtime_type,
        )


@dataclass(eq=False)
class FakeCall:
    """A call, and what was decided of it: `released` with what was appended, or `refused`."""

    method: Method
    received_mono_ns: int = 0
    released: list[bytes] = field(default_factory=list)
    refused: bool = False

    @property
    def path(self) -> str:
        return self.method.path

    def release(self, appended: bytes = b"") -> None:
        self.released.append(appended)

    def refuse(self) -> None:
        self.refused = True


@dataclass
class Box:
    recorder: Recorder
    node_state: NodeState
    observer: Observer
    evidence: CallOutcomes
    runtime_status: RuntimeStatusClient
    spool: Inbox
    drift_recorder: DriftRecorder
    reconciliation: Reconciliation
    in_flight: InFlight
    follow_up: FollowUpWorker
    interceptor: CriInterceptor
    runtime: FakeRuntime
    ledger: Path

    def settle(self) -> None:
        """Wait until the follow-up worker has worked what it was given so far."""
        deadline_s = time.monotonic() + 30
        idle = 0
        while idle < 3:  # a job that was just taken is in no one's hands for an instant
            assert time.monotonic() < deadline_s, "it is not worked"
            idle = 0 if self.follow_up.is_busy else idle + 1
            time.sleep(0.002)

    def finish(self) -> list[Event | UnknownEvent]:
        """Work everything off; what is on record, but for the ledger's own first entry."""
        self.follow_up.close(5)
        self.recorder.close(5 if self.ledger.exists() else 0.2)
        self.runtime_status.close()
        self.spool.close()
        if not self.ledger.exists():
            return []
        return [decode(entry.line).event for entry in islice(entries(str(self.ledger)), 1, None)]


@contextmanager
def box(
    tmp_path: Path,
    *,
    policy: Policy = ANNOTATING,
    runtime: Runtime | None = None,
    open_ledger: Callable[[], LedgerWriter] | None = None,
    reconcile_interval_s: float = 0,
    alone: bool = True,
    exits: bool = False,
    ahead: WriteAhead | None = None,
) -> Iterator[Box]:
    """A box that runs until `finish`; it restores and reconciles if it is given an interval."""
    clock = FixedClock()
    ledger = tmp_path / "ledger"
    recorder = Recorder(
        open_ledger or (lambda: LedgerWriter.open(str(ledger))),
        now=clock.now,
        new_ledger_id=lambda: "0" * 32,
        ahead=ahead,
    )
    runtime = runtime or FakeRuntime()
    used = runtime
    spool = Inbox(
        str(tmp_path / "spool"), now=clock.now, on_refused=lambda *_: None, on_missed=lambda _: None
    )
    runtime_status = RuntimeStatusClient(
        lambda: used, on_unanswered=lambda reason: recorder.gap("status_unavailable", detail=reason)
    )
    node_state = NodeState(recorder=recorder, clock=clock, host=read_namespaces(os.getpid()))
    observer = Observer(runtime_status=runtime_status, node_state=node_state)
    in_flight = InFlight()
    predictions = Predictions()
    annotation_cache = AnnotationCache(predictions, cgroup_version=1)
    evidence = CallOutcomes(
        observer=observer,
        node_state=node_state,
        predictions=predictions,
        annotation_cache=annotation_cache,
        spool=spool,
    )
    restored_state = RestoredState(
        node_state=node_state, spool=spool, recorder=recorder, ledger=str(ledger)
    )
    drift_recorder = DriftRecorder(
        runtime_status=runtime_status, observer=observer, node_state=node_state, clock=clock
    )
    reconciliation = Reconciliation(
        runtime_status=runtime_status,
        node_state=node_state,
        drift_recorder=drift_recorder,
        interval_s=reconcile_interval_s,
    )
    follow_up = FollowUpWorker(
        evidence=evidence,
        reconciliation=reconciliation,
        in_flight=in_flight,
        recorder=recorder,
        restore=restored_state.restore if reconcile_interval_s else lambda: None,
        alone=lambda: alone,
        idle_gate=IdleGate(lambda: 0),
        pause=lambda: None,
    )
    exit_watch = ExitWatch(follow_up.put, clock=clock)
    node_state.exit_watch = exit_watch if exits else None
    exit_watch.start()
    interceptor = CriInterceptor(
        recorder=recorder,
        follow_up=follow_up,
        in_flight=in_flight,
        annotation_cache=annotation_cache,
        clock=clock,
        policy=policy,
    )
    recorder.start()
    if reconcile_interval_s:
        begins = DaemonStopped(source=Source.DAEMON, reason="a new daemon begins")
        restored_state.first = recorder.record(begins, at=clock.now())
    follow_up.start()
    made = Box(
        recorder,
        node_state,
        observer,
        evidence,
        runtime_status,
        spool,
        drift_recorder,
        reconciliation,
        in_flight,
        follow_up,
        interceptor,
        runtime if isinstance(runtime, FakeRuntime) else FakeRuntime(),
        ledger,
    )
    try:
        yield made
    finally:
        exit_watch.close(5)
        made.finish()


def run_pod_sandbox() -> bytes:
    request = pb.RunPodSandboxRequest()
    request.config.metadata.name = "cart"
    request.config.metadata.namespace = "shop"
    request.config.metadata.uid = "u1"
    request.config.annotations["foreign"] = "kept"
    request.config.linux.security_context.namespace_options.network = pb.NODE
    return request.SerializeToString()


def create_container(pod_sandbox_id: str = "s1") -> bytes:
    request = pb.CreateContainerRequest(pod_sandbox_id=pod_sandbox_id)
    request.config.metadata.name = "app"
    request.config.image.image = "app:1"
    request.config.linux.security_context.namespace_options.pid = pb.CONTAINER
    request.sandbox_config.metadata.name = "cart"
    request.sandbox_config.metadata.namespace = "shop"
    return request.SerializeToString()


def sandbox_answer() -> bytes:
    return pb.RunPodSandboxResponse(pod_sandbox_id="s1").SerializeToString()


def container_answer() -> bytes:
    return pb.CreateContainerResponse(container_id="c1").SerializeToString()


def asked(method: Method, request: bytes) -> Asked:
    """What a call of `method` asks for, under an audit id."""
    return Asked(method, decode_request(method, request), "a1")


def answered(
    node: Box, method: Method, request: bytes, answer: bytes = b"", grpc_status: int | None = 0
) -> None:
    """Give the follow-up worker the answer of a call."""
    node.follow_up.put(FollowUp(asked(method, request), answer, grpc_status))


def only(kind: type[E], events: Sequence[object]) -> E:
    """The one event of that kind."""
    (found,) = (event for event in events if isinstance(event, kind))
    return found
