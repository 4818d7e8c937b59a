"""Watches the relay's calls: what is held, what it carries when it goes on, what is recorded.

Runs on the relay's thread, so it decodes, hands over, and returns. All that takes time (status
calls, /proc, the spool) is the witness's, on a thread of its own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from nsledger.audit.in_flight import InFlight
from nsledger.audit.jobs import FollowUp, LookUpSandbox
from nsledger.audit.predictions import Predictions
from nsledger.audit.witness import Witness
from nsledger.cri import methods
from nsledger.cri.annotate import annotate_create_container, annotate_run_pod_sandbox
from nsledger.cri.annotations import container_annotations, pod_annotations
from nsledger.cri.messages import UndecodableError
from nsledger.cri.methods import Method
from nsledger.cri.requests import (
    CreateContainer,
    RestorePod,
    decode_create_container,
    decode_request,
    decode_run_pod_sandbox,
)
from nsledger.cri.runtime_types import follows_containerds_rules
from nsledger.domain.events import ContainerRequested, PodRequested, Source
from nsledger.domain.namespaces import AssignedNamespaces
from nsledger.domain.prediction import predict
from nsledger.http2.calls import Call, HeldCall, Treatment
from nsledger.proc.clock import Clock
from nsledger.recorder.recorder import Recorder

_AUDIT_ID_BITS: Final = 64
_SEED_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided about held calls."""

    annotate: bool
    sync: bool
    """`write_ahead = "sync"`: a call waits until its record would survive a power cut."""
    fail_closed: bool
    """`failure_policy = "fail"`: a call whose record cannot be written is refused."""


class CallWatcher:
    """Implements `nsledger.http2.calls.Watcher`."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        witness: Witness,
        in_flight: InFlight,
        predictions: Predictions,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self._recorder = recorder
        self._witness = witness
        self._clock = clock
        self._policy = policy
        self._in_flight = in_flight
        self._predictions = predictions
        self._random_bits = random.Random(os.urandom(_SEED_BYTES)).getrandbits  # noqa: S311 - no key

    def treatment(self, path: str) -> Treatment | None:
        """Hold what is annotated, tap what is recorded, let the rest pass unseen."""
        return methods.treatment(path)

    def request_held(self, call: HeldCall, message: bytes) -> None:
        """Record and annotate; the call goes on when its record is written."""
        method = self._await_answer(call, message)
        try:
            if method is Method.RUN_POD_SANDBOX:
                self._run_pod_sandbox(call, message)
            else:
                self._create_container(call, message)
        except UndecodableError as error:
            self._undecodable(error, method)
            self._let_go(call, None, recorded=False)

    def request_seen(self, call: Call, message: bytes) -> None:
        """Remember the request until its answer; RestorePod asks as RunPodSandbox does."""
        method = self._await_answer(call, message)
        if method is not Method.RESTORE_POD:
            return
        try:
            asked = decode_request(method, message)
        except UndecodableError as error:
            self._undecodable(error, method)
            return
        if isinstance(asked, RestorePod):
            self._restore_pod(asked, self._join(call))

    def answered(self, call: Call, message: bytes | None, grpc_status: int | None) -> None:
        """Hand the answer to the witness: the kubelet has it already."""
        waiting = self._in_flight.waiting(call)
        if waiting is not None:
            self._witness.put(structs.replace(waiting, answer=message, grpc_status=grpc_status))
            self._in_flight.end(call)

    def overlooked(self, reason: str, path: str | None) -> None:
        """What the relay could not watch is a gap."""
        self._recorder.gap(reason, detail=(path or "").rpartition("/")[2])

    def _await_answer(self, call: Call, message: bytes) -> Method:
        method = methods.watched_method(call.path)
        if method is None:
            raise AssertionError(f"{call.path} was not asked for by treatment()")
        self._in_flight.begin(call, FollowUp(method, message, answer=None, grpc_status=None))
        return method

    def _join(self, call: Call) -> str:
        """A new audit id, which the answer of `call` will carry too if it is still to come.

        It is to be told from all others, and no secret. To ask the kernel for each would let go of
        the interpreter, and the relay would wait for other threads before it has it back.
        """
        audit_id = f"{self._random_bits(_AUDIT_ID_BITS):016x}"
        self._in_flight.join(call, audit_id)
        return audit_id

    def _run_pod_sandbox(self, call: HeldCall, message: bytes) -> None:
        asked = decode_run_pod_sandbox(message)
        audit_id = self._join(call)
        annotations = self._ours(pod_annotations(audit_id, asked.requested))
        event = PodRequested(
            source=Source.CRI_PROXY,
            audit_id=audit_id,
            pod=asked.pod,
            requested=asked.requested,
        )
        self._record_then_let_go(call, event, annotate_run_pod_sandbox(message, annotations))

    def _restore_pod(self, asked: RestorePod, audit_id: str) -> None:
        """One call asks for a pod and for its containers: each is on record as if asked alone."""
        events: list[PodRequested | ContainerRequested] = [
            PodRequested(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                pod=asked.pod,
                requested=asked.requested,
                method=Method.RESTORE_POD,
            )
        ]
        events += [
            ContainerRequested(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                pod=asked.pod,
                container=restored.container,
                requested=restored.requested,
                privileged=restored.privileged,
            )
            for restored in asked.containers
        ]
        for event in events:
            self._witness.remember(event)
            self._recorder.record(event, at=self._clock.now())

    def _create_container(self, call: HeldCall, message: bytes) -> None:
        asked = decode_create_container(message)
        if self._witness.known(asked.pod.pod_sandbox_id):
            self._create_in_known_sandbox(call, message, asked)
            return
        self._witness.put(
            LookUpSandbox(
                asked.pod.pod_sandbox_id,
                lambda: self._create_in_known_sandbox(call, message, asked),
            )
        )

    def _create_in_known_sandbox(
        self, call: HeldCall, message: bytes, asked: CreateContainer
    ) -> None:
        audit_id = self._join(call)
        predicted = self._predict(asked)
        annotations = self._ours(container_annotations(audit_id, predicted))
        event = ContainerRequested(
            source=Source.CRI_PROXY,
            audit_id=audit_id,
            pod=asked.pod,
            container=asked.container,
            requested=asked.requested,
            predicted=predicted,
            privileged=asked.privileged,
        )
        annotated = annotate_create_container(
            message, annotations, has_sandbox_config=asked.has_sandbox_config
        )
        self._record_then_let_go(call, event, annotated)

    def _predict(self, asked: CreateContainer) -> AssignedNamespaces:
        """What the container will join; nothing, where it is not known by which rules."""
        sandbox = self._witness.known(asked.pod.pod_sandbox_id)
        if sandbox is None or not follows_containerds_rules(sandbox.runtime_type):
            return {}
        target = self._witness.known(asked.requested.target_id)
        predicted = predict(
            asked.requested,
            sandbox_pid=sandbox.pid,
            sandbox_assigned=sandbox.assigned,
            target_pid=target.pid if target else None,
            privileged=asked.privileged,
            cgroup_version=self._witness.cgroup_version,
        )
        return self._predictions.trusted(sandbox.runtime_handler, predicted)

    def _ours(self, annotations: Mapping[str, str]) -> Mapping[str, str]:
        return annotations if self._policy.annotate else {}

    def _record_then_let_go(
        self, call: HeldCall, event: PodRequested | ContainerRequested, annotated: bytes
    ) -> None:
        self._witness.remember(event)
        message, at = annotated if self._policy.annotate else None, self._clock.now()
        if self._recorder.record_ahead(event, at=at):
            call.release(message)
            return
        ticket = self._recorder.record(event, at=at, sync=self._policy.sync)
        ticket.on_done(lambda: self._let_go(call, message, recorded=ticket.error is None))

    def _let_go(self, call: HeldCall, message: bytes | None, *, recorded: bool) -> None:
        if recorded or not self._policy.fail_closed:
            call.release(message)
        else:
            call.refuse()

    def _undecodable(self, error: UndecodableError, method: Method) -> None:
        self._recorder.gap("undecodable", detail=f"{method}: {error.reason}")
