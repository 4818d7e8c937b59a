"""Id maps of user namespaces, compared by what they map and not by how they are cut into lines.

Source: user_namespaces(7), "Defining user and group ID mappings".
"""

from __future__ import annotations

from collections.abc import Iterable

from nsledger.domain.namespaces import IdMapping


def as_ranges(mappings: Iterable[IdMapping]) -> tuple[IdMapping, ...]:
    """The same map with as few lines as it can have, in the order of `container_id`.

    The kernel sorts long maps, and a runtime may join or split neighbouring lines.
    """
    ranges: list[IdMapping] = []
    for line in sorted(mappings, key=lambda line: line.container_id):
        last = ranges[-1] if ranges else None
        if line.length == 0:
            continue
        if (
            last is not None
            and last.container_id + last.length == line.container_id
            and last.host_id + last.length == line.host_id
        ):
            ranges[-1] = IdMapping(last.container_id, last.host_id, last.length + line.length)
        else:
            ranges.append(line)
    return tuple(ranges)


def shown(mappings: Iterable[IdMapping]) -> str:
    """The map in one word, as newuidmap(1) takes it: `0:100000:65536,…`."""
    return ",".join(f"{line.container_id}:{line.host_id}:{line.length}" for line in mappings)
