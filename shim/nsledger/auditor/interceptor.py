"""Watches the relay's calls: what is held, what it carries when it goes on, what is recorded.

Runs on the relay's thread, so it decodes, hands over, and returns. All that takes time (status
calls, /proc, the spool) is the follow-up worker's, on a thread of its own.
"""

from __future__ import annotations

import os
import random
from dataclasses import dataclass
from typing import Final

from nsledger.auditor.annotation_cache import AnnotationCache
from nsledger.auditor.calls_in_flight import InFlight
from nsledger.auditor.follow_up import FollowUpWorker
from nsledger.auditor.jobs import Asked, FollowUp, LookUpSandbox
from nsledger.cri import methods
from nsledger.cri.annotations import AUDIT_ID_DIGITS, addition_to_run_pod_sandbox, pod_annotations
from nsledger.cri.messages import UndecodableError
from nsledger.cri.methods import Method
from nsledger.cri.watched_requests import CreateContainer, RestorePod, RunPodSandbox, decode_request
from nsledger.model.events import ContainerRequested, PodRequested, Source
from nsledger.proc.process import Clock
from nsledger.recorder.recorder import Recorder
from nsledger.relay.h2.calls import Call, HeldCall, Treatment

_SEED_BYTES: Final = 32
_RECORDED_WHEN_ASKED: Final = (Method.CREATE_CONTAINER, Method.RUN_POD_SANDBOX, Method.RESTORE_POD)
"""Their requests are records of their own, and those of the answer are joined with them."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator decided about held calls."""

    annotate: bool
    sync: bool
    """`write_ahead = "sync"`: a call waits until its record would survive a power cut."""
    fail_closed: bool
    """`failure_policy = "fail"`: a call whose record cannot be written is refused."""


class CriInterceptor:
    """Implements `nsledger.relay.h2.calls.Interceptor`."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        follow_up: FollowUpWorker,
        in_flight: InFlight,
        annotation_cache: AnnotationCache,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self._recorder = recorder
        self._follow_up = follow_up
        self._clock = clock
        self._policy = policy
        self._in_flight = in_flight
        self._annotation_cache = annotation_cache
        self._random_bits = random.Random(os.urandom(_SEED_BYTES)).getrandbits  # noqa: S311 - no key

    def treatment(self, path: str) -> Treatment | None:
        """Hold what is annotated, tap what is recorded, let the rest pass unseen."""
        return methods.treatment(path)

    def request_held(self, call: HeldCall, message: bytes) -> None:
        """Record and annotate; the call goes on when its record is kept."""
        asked = self._begin(call, message)
        if asked is None:
            self._let_go(call, b"", recorded=False)
        elif isinstance(asked.request, CreateContainer):
            self._create_container(call, message, asked.request, asked.audit_id)
        elif isinstance(asked.request, RunPodSandbox):
            self._run_pod_sandbox(call, message, asked.request, asked.audit_id)

    def request_seen(self, call: Call, message: bytes) -> None:
        """Remember the request until its answer; RestorePod asks as RunPodSandbox does."""
        asked = self._begin(call, message)
        if asked is not None and isinstance(asked.request, RestorePod):
            self._restore_pod(asked.request, asked.audit_id)

    def answered(self, call: Call, message: bytes | None, grpc_status: int | None) -> None:
        """Hand the answer to the follow-up worker: the kubelet has it already."""
        asked = self._in_flight.asked(call)
        if asked is not None:
            self._follow_up.put(FollowUp(asked, message, grpc_status))
            self._in_flight.end(call)

    def overlooked(self, reason: str, path: str | None) -> None:
        """What the relay could not watch is a gap."""
        self._recorder.gap(reason, detail=(path or "").rpartition("/")[2])

    def _begin(self, call: Call, message: bytes) -> Asked | None:
        """What `call` asks for, which its answer will be joined with; None and a gap if unreadable.

        Only what was decoded is kept: a request holds secrets.
        """
        method = methods.watched_method(call.path)
        if method is None:
            raise AssertionError(f"{call.path} was not asked for by treatment()")
        try:
            request = decode_request(method, message)
        except UndecodableError as error:
            self._recorder.gap("undecodable", detail=f"{method}: {error.reason}")
            return None
        audit_id = self._new_audit_id() if method in _RECORDED_WHEN_ASKED else ""
        asked = Asked(method, request, audit_id)
        self._in_flight.begin(call, asked)
        return asked

    def _new_audit_id(self) -> str:
        """One to be told from all others, and no secret.

        To ask the kernel for each would let go of the interpreter, and the relay would wait for
        other threads before it has it back.
        """
        return f"{self._random_bits(4 * AUDIT_ID_DIGITS):0{AUDIT_ID_DIGITS}x}"

    def _run_pod_sandbox(
        self, call: HeldCall, message: bytes, asked: RunPodSandbox, audit_id: str
    ) -> None:
        annotations = pod_annotations(audit_id, asked.requested) if self._policy.annotate else {}
        event = PodRequested(
            source=Source.CRI_PROXY,
            audit_id=audit_id,
            pod=asked.pod,
            requested=asked.requested,
        )
        addition = addition_to_run_pod_sandbox(message, annotations)
        self._record_then_let_go(call, event, addition)

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
            self._follow_up.remember(event)
            self._recorder.record(event, at=self._clock.now())

    def _create_container(
        self, call: HeldCall, message: bytes, asked: CreateContainer, audit_id: str
    ) -> None:
        if self._follow_up.known(asked.pod.pod_sandbox_id):
            self._create_in_known_sandbox(call, message, asked, audit_id)
            return
        self._follow_up.put(
            LookUpSandbox(
                asked.pod.pod_sandbox_id,
                lambda: self._create_in_known_sandbox(call, message, asked, audit_id),
            )
        )

    def _create_in_known_sandbox(
        self, call: HeldCall, message: bytes, asked: CreateContainer, audit_id: str
    ) -> None:
        follow_up = self._follow_up
        cached = self._annotation_cache.get(
            asked.requested,
            follow_up.known(asked.pod.pod_sandbox_id),
            follow_up.known(asked.requested.target_id),
            privileged=asked.privileged,
        )
        event = ContainerRequested(
            source=Source.CRI_PROXY,
            audit_id=audit_id,
            pod=asked.pod,
            container=asked.container,
            requested=asked.requested,
            predicted=cached.predicted,
            privileged=asked.privileged,
        )
        addition = b""
        if self._policy.annotate:
            addition = cached.annotations.addition_to(
                message, audit_id, has_sandbox_config=asked.has_sandbox_config
            )
        self._record_then_let_go(call, event, addition)

    def _record_then_let_go(
        self, call: HeldCall, event: PodRequested | ContainerRequested, addition: bytes
    ) -> None:
        self._follow_up.remember(event)
        at = self._clock.now()
        if self._recorder.record_ahead(event, at=at):
            call.release(addition)
            return
        ticket = self._recorder.record(event, at=at, sync=self._policy.sync)
        ticket.on_done(lambda: self._let_go(call, addition, recorded=ticket.error is None))

    def _let_go(self, call: HeldCall, addition: bytes, *, recorded: bool) -> None:
        if recorded or not self._policy.fail_closed:
            call.release(addition)
        else:
            call.refuse()
