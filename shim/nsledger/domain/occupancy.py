"""Who is at which inode right now, and which two of them cannot be there at once.

An inode of nsfs is one namespace at a time. Two processes at one inode share that namespace, or one
of them is gone; this tells the second case from the first, where anything on record does.
"""

from __future__ import annotations

from collections.abc import Iterator

from nsledger.domain.interval import Interval
from nsledger.domain.namespaces import NamespaceType

_Namespace = tuple[NamespaceType, str | None]


class Occupancy:
    """The open intervals by inode. Hundreds of pods share the host's, so those are kept apart."""

    def __init__(self) -> None:
        self._at: dict[tuple[int, int], dict[_Namespace, dict[str, Interval]]] = {}

    def add(self, key: str, interval: Interval) -> None:
        """Put in the interval of the process called `key`."""
        identity = interval.identity
        groups = self._at.setdefault((identity.dev, identity.ino), {})
        groups.setdefault((interval.type, identity.ns_id), {})[key] = interval

    def remove(self, key: str, interval: Interval) -> None:
        """Take it out again."""
        identity = interval.identity
        place = identity.dev, identity.ino
        groups = self._at[place]
        group = groups[interval.type, identity.ns_id]
        del group[key]
        if not group:
            del groups[interval.type, identity.ns_id]
        if not groups:
            del self._at[place]

    def rivals(
        self, key: str, interval: Interval, *, is_new: bool
    ) -> Iterator[tuple[str, Interval]]:
        """The intervals of other processes that cannot go on beside `interval`.

        They are of another type, or have another id. If the process got a new namespace when it
        began (`is_new`), they are also those of older processes, which it cannot have joined.
        """
        identity = interval.identity
        for (type_, ns_id), group in self._at.get((identity.dev, identity.ino), {}).items():
            both_ids_known = ns_id is not None and identity.ns_id is not None
            if type_ is not interval.type or (both_ids_known and ns_id != identity.ns_id):
                yield from group.items()
            elif is_new and not both_ids_known:
                yield from (
                    (other_key, other)
                    for other_key, other in group.items()
                    if other_key != key and _is_older(other, interval)
                )


def _is_older(one: Interval, other: Interval) -> bool:
    """Whether the process of `one` began before that of `other`, by the kernel's clock."""
    if one.start_ticks is None or other.start_ticks is None:
        return False
    return one.start_ticks < other.start_ticks
