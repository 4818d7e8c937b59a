"""How the picture and the runtime's list differ about one sandbox or one container.

Pure: the rules of reconciliation without its questions. The two are never of one moment, so a
difference is a reason to look, and whoever looks decides again by what is then seen.
"""

from __future__ import annotations

import enum

from nsledger.cri.status import ContainerState, ListedContainer, ListedSandbox
from nsledger.domain.workloads import Container, Pod


class Difference(enum.Enum):
    """What is to be looked at."""

    NEW = enum.auto()
    """Listed, and nothing was seen of it, or nothing of its process."""
    ENDED = enum.auto()
    """Listed as ended, and alive in the picture."""
    MISSING = enum.auto()
    """In the picture, and not listed."""
    RUNNING = enum.auto()
    """Both say that it runs: whether the process is there, and in the same namespaces."""


def sandbox_difference(
    pod: Pod | None, listed: ListedSandbox | None, *, looked_at: bool
) -> Difference | None:
    """How the two differ about a sandbox; `looked_at` is whether its process was."""
    if listed is None:
        return Difference.MISSING if pod is not None else None
    if pod is None:
        return Difference.NEW
    if pod.ended:
        return None
    if not listed.ready:
        return Difference.ENDED
    return Difference.RUNNING if looked_at else Difference.NEW


def container_difference(
    container: Container | None, listed: ListedContainer | None, *, looked_at: bool
) -> Difference | None:
    """How the two differ about a container; `looked_at` is whether its process was."""
    if listed is None:
        return Difference.MISSING if container is not None else None
    if container is None:
        return Difference.NEW
    if container.ended:
        return None
    if listed.state is ContainerState.EXITED:
        return Difference.ENDED
    if listed.state is not ContainerState.RUNNING:
        return None
    return Difference.RUNNING if looked_at else Difference.NEW
