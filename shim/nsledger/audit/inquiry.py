"""Asking the runtime: what it says of a sandbox or a container, or that it did not say.

It records nothing but gaps and judges nothing. It blocks for as long as the client's deadline lets
it, so it belongs to the witness's thread, never to the relay's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from nsledger.cri.client import RuntimeCallError
from nsledger.cri.messages import UndecodableError
from nsledger.cri.status import ContainerStatus, SandboxStatus

Told = TypeVar("Told")


class Runtime(Protocol):
    """What is asked of the runtime; `nsledger.cri.client.RuntimeClient` is one."""

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        """The verbose status of a sandbox."""
        ...

    def container_status(self, container_id: str) -> ContainerStatus:
        """The verbose status of a container."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The runtime did not tell."""

    reason: str
    """In words of our own; the runtime's text stays behind."""


class Inquiry:
    """A connection to the runtime, made when it is first needed."""

    def __init__(
        self, connect: Callable[[], Runtime], *, on_unanswered: Callable[[str], None]
    ) -> None:
        """Nothing is opened yet.

        Args:
            connect: Called when the runtime is first asked: gRPC's import is not for the kubelet
                to wait for.
            on_unanswered: Called with the reason whenever the runtime did not tell.
        """
        self._connect = connect
        self._connected: Runtime | None = None
        self._on_unanswered = on_unanswered

    def close(self) -> None:
        """Give the connection back."""
        if self._connected is not None:
            self._connected.close()

    def sandbox(self, pod_sandbox_id: str) -> SandboxStatus | Unanswered:
        """What the runtime says of a sandbox."""
        return self._ask(lambda runtime: runtime.pod_sandbox_status(pod_sandbox_id))

    def container(self, container_id: str) -> ContainerStatus | Unanswered:
        """What the runtime says of a container."""
        return self._ask(lambda runtime: runtime.container_status(container_id))

    def _ask(self, question: Callable[[Runtime], Told]) -> Told | Unanswered:
        if self._connected is None:
            self._connected = self._connect()
        try:
            return question(self._connected)
        except (RuntimeCallError, UndecodableError) as error:
            self._on_unanswered(str(error))
            return Unanswered(str(error))
