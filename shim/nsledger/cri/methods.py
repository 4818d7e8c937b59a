"""Which CRI methods the shim cares about, and what the relay is to do with each.

Everything that is not named here passes unseen: other methods, other services, later versions.

Source: kubernetes/cri-api, `service RuntimeService` of package `runtime.v1`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nsledger.relay.h2.calls import Treatment

RUNTIME_SERVICE: Final = "/runtime.v1.RuntimeService/"
_ALPHA_SERVICE: Final = "/runtime.v1alpha2.RuntimeService/"
"""What kubelets before 1.26 may speak: v1 began as its copy, each field by the same number."""


class Method(enum.StrEnum):
    """A watched method of `runtime.v1.RuntimeService`, by its name."""

    RUN_POD_SANDBOX = "RunPodSandbox"
    STOP_POD_SANDBOX = "StopPodSandbox"
    REMOVE_POD_SANDBOX = "RemovePodSandbox"
    CREATE_CONTAINER = "CreateContainer"
    START_CONTAINER = "StartContainer"
    STOP_CONTAINER = "StopContainer"
    REMOVE_CONTAINER = "RemoveContainer"
    RESTORE_POD = "RestorePod"
    """Creates a pod sandbox and its containers with no RunPodSandbox and no CreateContainer."""

    @property
    def path(self) -> str:
        """The `:path` header of its calls."""
        return RUNTIME_SERVICE + self.value


WATCHED: Final[Mapping[Method, Treatment]] = MappingProxyType(
    {
        Method.RUN_POD_SANDBOX: Treatment.HOLD,
        Method.CREATE_CONTAINER: Treatment.HOLD,
        Method.START_CONTAINER: Treatment.TAP,
        Method.STOP_CONTAINER: Treatment.TAP,
        Method.REMOVE_CONTAINER: Treatment.TAP,
        Method.STOP_POD_SANDBOX: Treatment.TAP,
        Method.REMOVE_POD_SANDBOX: Treatment.TAP,
        Method.RESTORE_POD: Treatment.TAP,
    }
)
"""HOLD where an annotation is added, TAP where there is only something to record."""

_BY_PATH: Final = {
    service + method: method for service in (RUNTIME_SERVICE, _ALPHA_SERVICE) for method in Method
}
_TREATMENTS: Final = {path: WATCHED[method] for path, method in _BY_PATH.items()}


def watched_method(path: str) -> Method | None:
    """The watched method that calls of `path` go to; None for all others."""
    return _BY_PATH.get(path)


def treatment(path: str) -> Treatment | None:
    """What the relay does with calls of `path`; None lets them pass unseen."""
    return _TREATMENTS.get(path)
