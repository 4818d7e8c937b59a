"""Namespaces that live on without a process in them: kept by a bind mount or an open descriptor.

Nothing is changed. A mount that only another mount namespace has is not seen, and neither is what a
process holds that may not be looked at; how many those are is told.

Source: namespaces(7), "Namespace lifetime".
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from nsledger.domain.namespaces import NamespaceIdentity, NamespaceType
from nsledger.proc.nsfs import Holder, bind_mounts, descriptors


@dataclass(frozen=True, slots=True)
class Orphan:
    """A namespace without a process."""

    type: NamespaceType
    identity: NamespaceIdentity
    holders: tuple[Holder, ...]


@dataclass(frozen=True, slots=True)
class Orphans:
    """All that were found."""

    found: tuple[Orphan, ...]
    unreadable: int
    """Processes that could not be looked at."""


def orphans() -> Orphans:
    """Look at every mount and every process of this node."""
    unreadable: list[int] = []
    holders = [*bind_mounts(), *descriptors(unreadable)]
    # Looked at last: a process that begins meanwhile is seen, one that ends leaves no false orphan.
    inhabited, refused = _inhabited()
    by_namespace: dict[tuple[NamespaceType, int, int], list[Holder]] = {}
    for holder in holders:
        place = holder.type, holder.identity.dev, holder.identity.ino
        if place[1:] not in inhabited:
            by_namespace.setdefault(place, []).append(holder)
    found = tuple(
        Orphan(type_, held[0].identity, tuple(held)) for (type_, _, _), held in by_namespace.items()
    )
    return Orphans(found, len({*unreadable, *refused}))


def _inhabited() -> tuple[set[tuple[int, int]], list[int]]:
    """Device and inode of every namespace with a process in it, and whom one may not look at."""
    found: set[tuple[int, int]] = set()
    refused: list[int] = []
    for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))):
        directory = f"/proc/{pid}/ns"
        try:
            for name in os.listdir(directory):
                status = os.stat(f"{directory}/{name}")
                found.add((status.st_dev, status.st_ino))
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended, or a pid namespace waits for its first process
        except OSError:
            refused.append(pid)
    return found, refused
