"""The watched calls that are under way: what is being made or ended is nobody's find.

The relay's thread writes, the follow-up worker's thread reads. A call leaves here only after its
answer is in the follow-up worker's queue. So what is not in here, while that queue is empty, has
been folded.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import assert_never

from nsledger.auditor.jobs import Asked
from nsledger.cri.watched_requests import (
    CreateContainer,
    RemoveContainer,
    RemovePodSandbox,
    Request,
    RestorePod,
    RunPodSandbox,
    StartContainer,
    StopContainer,
    StopPodSandbox,
)
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.relay.h2.calls import Call


@dataclass(frozen=True, slots=True)
class Concerned:
    """What the calls under way are about."""

    requests: tuple[Request, ...] = ()

    def pod(self, pod: PodRef) -> bool:
        """Whether a call is making or ending this sandbox."""
        return any(_is_about_pod(request, pod) for request in self.requests)

    def container(self, pod_sandbox_id: str, container: ContainerRef) -> bool:
        """Whether a call is making, starting or ending this container, or its sandbox."""
        return any(
            _is_about_container(request, pod_sandbox_id, container) for request in self.requests
        )


class InFlight:
    """Calls that were seen and not answered yet. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._calls: dict[Call, Asked] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._calls)

    def begin(self, call: Call, asked: Asked) -> None:
        """A call was seen."""
        with self._lock:
            self._calls[call] = asked

    def asked(self, call: Call) -> Asked | None:
        """What the answer of `call` will answer; None for a call that is not under way."""
        return self._calls.get(call)

    def end(self, call: Call) -> None:
        """The answer is in the follow-up worker's queue."""
        with self._lock:
            self._calls.pop(call, None)

    def concerned(self) -> Concerned:
        """What the calls under way are about."""
        with self._lock:
            return Concerned(tuple(asked.request for asked in self._calls.values()))


def _is_about_pod(request: Request, pod: PodRef) -> bool:
    match request:
        case RunPodSandbox(pod=asked) | RestorePod(pod=asked):
            return _name(asked) == _name(pod)
        case StopPodSandbox(pod_sandbox_id=id_) | RemovePodSandbox(pod_sandbox_id=id_):
            return id_ == pod.pod_sandbox_id
        case CreateContainer() | StartContainer() | StopContainer() | RemoveContainer():
            return False
        case _:
            assert_never(request)


def _is_about_container(request: Request, pod_sandbox_id: str, container: ContainerRef) -> bool:
    match request:
        case RunPodSandbox():
            return False
        case RestorePod(containers=made):
            # Its sandbox has no id yet: whatever bears the name of one of them may be it.
            return any(one.container.name == container.name for one in made)
        case StopPodSandbox(pod_sandbox_id=id_) | RemovePodSandbox(pod_sandbox_id=id_):
            return id_ == pod_sandbox_id
        case CreateContainer(pod=pod, container=asked):
            same_name = (asked.name, asked.attempt) == (container.name, container.attempt)
            return same_name and pod.pod_sandbox_id == pod_sandbox_id
        case (
            StartContainer(container_id=id_)
            | StopContainer(container_id=id_)
            | RemoveContainer(container_id=id_)
        ):
            return id_ == container.container_id
        case _:
            assert_never(request)


def _name(pod: PodRef) -> tuple[str, str, str, int]:
    return pod.k8s_namespace, pod.name, pod.uid, pod.attempt
