"""Asking the runtime: what it says of a sandbox or a container, or that it did not say.

It records nothing but gaps and judges nothing. It blocks for as long as the client's deadline lets
it, so it belongs to the follow-up worker's thread, never to the relay's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from nsledger.cri.client import RuntimeCallError
from nsledger.cri.messages import UndecodableError
from nsledger.cri.runtime_types import is_sandboxed
from nsledger.cri.status import (
    ContainerStatus,
    ListedContainer,
    ListedSandbox,
    ProcessStatus,
    SandboxStatus,
)

Told = TypeVar("Told")

_QUIET_S: Final = 5.0
"""After which a connection is given back: gRPC's threads wake up a dozen times a second for it."""


class Runtime(Protocol):
    """What is asked of the runtime; `nsledger.cri.client.RuntimeClient` is one."""

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        """The verbose status of a sandbox."""
        ...

    def container_status(self, container_id: str) -> ContainerStatus:
        """The verbose status of a container."""
        ...

    def list_pod_sandboxes(self) -> tuple[ListedSandbox, ...]:
        """All sandboxes, ready or not."""
        ...

    def list_containers(self) -> tuple[ListedContainer, ...]:
        """All containers, in whatever state."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


@dataclass(frozen=True, slots=True)
class StatusUnavailable:
    """The runtime did not tell."""

    reason: str
    """In words of our own; the runtime's text stays behind."""
    gone: bool = False
    """It said that it has no such thing."""


class RuntimeStatusClient:
    """A connection to the runtime, made when it is first needed."""

    def __init__(
        self,
        connect: Callable[[], Runtime],
        *,
        on_unanswered: Callable[[str], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened yet.

        Args:
            connect: Called when the runtime is first asked: gRPC's import is not for the kubelet
                to wait for.
            on_unanswered: Called with the reason whenever the runtime did not tell.
            now_s: A monotonic clock.
        """
        self.calls = 0
        """How often the runtime was asked."""
        self._connect = connect
        self._connected: Runtime | None = None
        self._on_unanswered = on_unanswered
        self._now_s = now_s
        self._asked_at_s = 0.0

    def close(self) -> None:
        """Give the connection back; the next question makes another."""
        if self._connected is not None:
            self._connected.close()
            self._connected = None

    def rest(self) -> None:
        """Give the connection back if nothing was asked for a while."""
        if self._connected is not None and self._now_s() - self._asked_at_s >= _QUIET_S:
            self.close()

    def sandbox(
        self, pod_sandbox_id: str, *, may_be_gone: bool = False
    ) -> SandboxStatus | StatusUnavailable:
        """What the runtime says of a sandbox; that it has none is no gap if it `may_be_gone`."""
        return self._ask(
            lambda asked: asked.pod_sandbox_status(pod_sandbox_id), may_be_gone=may_be_gone
        )

    def container(
        self, container_id: str, *, may_be_gone: bool = False
    ) -> ContainerStatus | StatusUnavailable:
        """What the runtime says of a container; that it has none is no gap if it `may_be_gone`."""
        return self._ask(
            lambda asked: asked.container_status(container_id), may_be_gone=may_be_gone
        )

    def sandboxes(self) -> tuple[ListedSandbox, ...] | StatusUnavailable:
        """All sandboxes that the runtime has, ready or not."""
        return self._ask(lambda asked: asked.list_pod_sandboxes())

    def containers(self) -> tuple[ListedContainer, ...] | StatusUnavailable:
        """All containers that the runtime has, in whatever state."""
        return self._ask(lambda asked: asked.list_containers())

    def _ask(
        self, question: Callable[[Runtime], Told], *, may_be_gone: bool = False
    ) -> Told | StatusUnavailable:
        if self._connected is None:
            self._connected = self._connect()
        self.calls += 1
        try:
            return question(self._connected)
        except RuntimeCallError as error:
            unanswered = StatusUnavailable(str(error), gone=error.code == "NOT_FOUND")
        except UndecodableError as error:
            unanswered = StatusUnavailable(str(error))
        finally:
            self._asked_at_s = self._now_s()
        if not (unanswered.gone and may_be_gone):
            self._on_unanswered(unanswered.reason)
        return unanswered


NO_HOST_PID: Final = "no host pid"
ENDED: Final = "it had ended"
_SANDBOXED: Final = "sandboxed by "


def sandboxed_by(what: str) -> str:
    """Why a container's namespaces are none of this kernel's."""
    return _SANDBOXED + what


def is_sandboxed_reason(unobservable: str) -> bool:
    """Whether that is the reason."""
    return unobservable.startswith(_SANDBOXED)


def why_unobservable(process: ProcessStatus, *, ended: bool) -> str:
    """Why a process cannot be read; empty if it can."""
    if is_sandboxed(process.runtime_type):
        return sandboxed_by(process.runtime_type)
    if process.pid is None:
        return ENDED if ended else NO_HOST_PID
    return ""


def was_looked_at(unobservable: str) -> bool:
    """Whether a process was read, or is known to have nothing to read; else another look helps."""
    lasting = unobservable in {"", NO_HOST_PID, ENDED}
    return lasting or is_sandboxed_reason(unobservable)
