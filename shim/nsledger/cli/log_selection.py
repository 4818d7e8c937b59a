"""Which records `nsledger log` lists: pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from nsledger.model.events import Source, event_name
from nsledger.model.instants import unix_ns
from nsledger.model.record import Record, rfc3339
from nsledger.render.log_table import subject

_SHORTEST_ID = 4
"""Fewer characters of an id could be part of too many names."""

_TIME = re.compile(
    rb'\{"seq":[0-9]+,"prev":"[0-9a-f]{64}","time":"([0-9-]{10}T[0-9:]{8}\.[0-9]{9}Z)"'
).match
"""A time as the daemon writes it: such texts stand in the order of the moments."""


@dataclass(frozen=True, slots=True)
class Selection:
    """All that is given must hold; of several values for one, any."""

    since_ns: int | None = None
    until_ns: int | None = None
    """Unix time; the moment itself is not in it."""
    k8s_namespaces: Sequence[str] = ()
    """Shell patterns, as of all that follows."""
    pods: Sequence[str] = ()
    containers: Sequence[str] = ()
    events: Sequence[str] = ()
    """Shell patterns, such as `container.*`."""
    sources: Sequence[Source] = ()

    @property
    def everything(self) -> bool:
        """Whether no record needs to be looked at."""
        return self == Selection()

    def may_take(self, line: bytes) -> bool:
        """Whether the record on `line` has to be decoded to know; quick where its time says no."""
        if self.since_ns is None and self.until_ns is None:
            return True
        written = _TIME(line)
        if written is None:
            return True
        since, until = _bounds(self.since_ns, self.until_ns)
        return since <= written[1] < until

    def takes(self, record: Record) -> bool:
        """Whether `record` is one of them."""
        return (
            self._in_time(record.time)
            and (not self.sources or record.event.source in self.sources)
            and (not self.events or self._of_event(event_name(record.event)))
            and (not (self.pods or self.containers or self.k8s_namespaces) or self._about(record))
        )

    def _in_time(self, time: str) -> bool:
        if self.since_ns is None and self.until_ns is None:
            return True
        then = unix_ns(time)
        return (self.since_ns is None or self.since_ns <= then) and (
            self.until_ns is None or then < self.until_ns
        )

    def _of_event(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self.events)

    def _about(self, record: Record) -> bool:
        pod, container = subject(record.event)
        if self.k8s_namespaces and (
            pod is None
            or not any(fnmatchcase(pod.k8s_namespace, one) for one in self.k8s_namespaces)
        ):
            return False
        if self.pods and (
            pod is None
            or not _named(self.pods, [pod.name, pod.full_name, pod.uid], pod.pod_sandbox_id)
        ):
            return False
        return not self.containers or (
            container is not None
            and _named(self.containers, [container.name], container.container_id)
        )


def _named(patterns: Sequence[str], names: Sequence[str], id_: str) -> bool:
    return any(
        any(fnmatchcase(name, pattern) for name in names)
        or (len(pattern) >= _SHORTEST_ID and id_.startswith(pattern))
        for pattern in patterns
    )


@functools.lru_cache(maxsize=1)
def _bounds(since_ns: int | None, until_ns: int | None) -> tuple[bytes, bytes]:
    """Both as a record writes them; what is not given is before, or behind, every time."""
    since = b"" if since_ns is None else rfc3339(since_ns).encode()
    return since, b"~" if until_ns is None else rfc3339(until_ns).encode()
