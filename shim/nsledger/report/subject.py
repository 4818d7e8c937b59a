"""What a record is about: its pod and its container, if it has them."""

from __future__ import annotations

from typing import Final, assert_never

from nsledger.domain.events import (
    CallFailed,
    ClockStepped,
    ContainerAssigned,
    ContainerRemoved,
    ContainerRequested,
    ContainerStarted,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    DaemonStopped,
    DiskStageChanged,
    Event,
    Gap,
    LedgerCreated,
    LedgerPruned,
    LedgerRecovered,
    LedgerResumed,
    LedgerStopped,
    NamespaceChanged,
    NodeRebooted,
    PodAssigned,
    PodRemoved,
    PodRequested,
    PodStopped,
    SegmentAltered,
    UnknownEvent,
)
from nsledger.domain.workload import ContainerRef, PodRef
from nsledger.report.screen import Screen
from nsledger.report.text import columns, shorten, shorten_middle, visible

_LEAST_OF_POD: Final = 5


def subject(event: Event | UnknownEvent) -> tuple[PodRef | None, ContainerRef | None]:
    """The pod and the container that `event` names; None where it is about none."""
    match event:
        case PodRequested() | PodAssigned() | PodStopped() | PodRemoved():
            return event.pod, None
        case (
            ContainerRequested()
            | ContainerAssigned()
            | ContainerWitnessed()
            | ContainerStarted()
            | ContainerStopped()
            | ContainerRemoved()
        ):
            return event.pod, event.container
        case NamespaceChanged():
            return event.pod, event.container
        case CallFailed():
            return event.pod, event.container if event.container != ContainerRef() else None
        case (
            Gap()
            | LedgerCreated()
            | LedgerRecovered()
            | LedgerPruned()
            | LedgerStopped()
            | LedgerResumed()
            | DiskStageChanged()
            | SegmentAltered()
            | ClockStepped()
            | NodeRebooted()
            | DaemonStarted()
            | DaemonStopped()
            | UnknownEvent()
        ):
            return None, None
        case _:
            assert_never(event)


def subject_text(event: Event | UnknownEvent, screen: Screen, width: int | None) -> str:
    """`default/web > app` in at most `width` columns; empty if it is about no pod.

    Where it is too long the pod's name gives way, since the lines before tell it too.
    """
    pod, container = subject(event)
    if pod is None:
        return ""
    of_pod = visible(pod.full_name)
    of_container = ""
    if container is not None:
        of_container = visible(container.name or container.container_id[:13])
    if of_pod and of_container:
        of_container = screen.arrow + of_container
    if width is not None:
        of_container = shorten(of_container, width - _LEAST_OF_POD, screen.ellipsis)
        of_pod = shorten_middle(of_pod, width - columns(of_container), screen.ellipsis)
    return of_pod + of_container
