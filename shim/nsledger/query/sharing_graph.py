"""The node's namespaces, each with the processes that are in it: pure.

It is made of the matrices that `show` and `pods` tell, so all of them say the same of a process.
Values only; `report` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from nsledger.model.judgement import HOST
from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.state.matrix import ORDER, Cell, Matrix, Process, in_one, lived_at_once
from nsledger.state.process_findings import NodeFacts


class ProcessIndex(msgspec.Struct, frozen=True, array_like=True):
    """A process, by where it stands in the picture."""

    pod: int
    """Place in `SharingGraph.pods`."""
    process: int
    """Place in that pod's `processes`."""


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """One namespace and who is in it."""

    type: NamespaceType
    identity: NamespaceIdentity | None
    """None only for the host's, where no process in it was read after it was judged."""
    is_host: bool
    members: tuple[ProcessIndex, ...]
    """By pod, the sandbox first."""

    @property
    def pods(self) -> tuple[int, ...]:
        """The pods that it reaches into."""
        return tuple(dict.fromkeys(member.pod for member in self.members))


class SharedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Processes that are together in a namespace of each of `types`, and nobody else is."""

    types: tuple[NamespaceType, ...]
    members: tuple[ProcessIndex, ...]


@dataclass(frozen=True, slots=True)
class SharingGraph:
    """Some pods of a node."""

    pods: tuple[Matrix, ...]
    namespaces: tuple[Namespace, ...]
    """By type; of each the host's first, then those with the most processes in them."""
    usual: frozenset[NamespaceType]
    """Types in which every ordinary pod of this node is in the host's."""

    def process(self, member: ProcessIndex) -> Process:
        """Who sits there."""
        return self.pods[member.pod].processes[member.process]

    def cell(self, member: ProcessIndex, type_: NamespaceType) -> Cell:
        """What is known of it."""
        return self.process(member).namespaces[type_]

    def members(self) -> Iterator[ProcessIndex]:
        """Every process."""
        for pod, matrix in enumerate(self.pods):
            for process in range(len(matrix.processes)):
                yield ProcessIndex(pod, process)

    def shared_groups(self, types: Iterable[NamespaceType] = ORDER) -> list[SharedGroup]:
        """Who shares what beside the host's: types with the same members are told at once."""
        wanted = set(types)
        by_members: dict[tuple[ProcessIndex, ...], list[NamespaceType]] = {}
        for one in self.namespaces:
            if not one.is_host and len(one.members) > 1 and one.type in wanted:
                by_members.setdefault(one.members, []).append(one.type)
        return sorted(
            (
                SharedGroup(types=tuple(found), members=members)
                for members, found in by_members.items()
            ),
            key=lambda one: (one.members[0].pod, ORDER.index(one.types[0])),
        )

    def alone(
        self, types: Iterable[NamespaceType] = ORDER
    ) -> dict[ProcessIndex, list[NamespaceType]]:
        """Of which types each process is the only one in its namespace."""
        wanted = set(types)
        found: dict[ProcessIndex, list[NamespaceType]] = {}
        for one in self.namespaces:
            if not one.is_host and len(one.members) == 1 and one.type in wanted:
                found.setdefault(one.members[0], []).append(one.type)
        return found

    def in_hosts(
        self, types: Iterable[NamespaceType] = ORDER
    ) -> dict[ProcessIndex, list[NamespaceType]]:
        """Of which types each process is in the host's."""
        wanted = set(types)
        found: dict[ProcessIndex, list[NamespaceType]] = {}
        for one in self.namespaces:
            if one.is_host and one.type in wanted:
                for member in one.members:
                    found.setdefault(member, []).append(one.type)
        return found


def picture(matrices: Sequence[Matrix], node: NodeFacts) -> SharingGraph:
    """The picture of these pods of `node`."""
    pods = tuple(matrices)
    return SharingGraph(
        pods=pods,
        namespaces=tuple(one for type_ in ORDER for one in _of_type(type_, pods)),
        usual=frozenset(type_ for type_ in ORDER if not node.is_unusual(type_)),
    )


def _of_type(type_: NamespaceType, pods: Sequence[Matrix]) -> Iterator[Namespace]:
    hosts: list[ProcessIndex] = []
    together: dict[tuple[int, str], list[ProcessIndex]] = {}
    for at, matrix in enumerate(pods):
        for place, row in enumerate(matrix.processes):
            cell = row.namespaces[type_]
            if cell.sharing == HOST:
                hosts.append(ProcessIndex(at, place))
            elif cell.actual is not None:
                together.setdefault((at, cell.group or str(place)), []).append(
                    ProcessIndex(at, place)
                )
    if hosts:
        seen = (
            pods[member.pod].processes[member.process].namespaces[type_].actual for member in hosts
        )
        yield _namespace(type_, next(filter(None, seen), None), hosts, is_host=True)
    for members in sorted(_across_pods(type_, together.values(), pods), key=len, reverse=True):
        first = pods[members[0].pod].processes[members[0].process]
        yield _namespace(type_, first.namespaces[type_].actual, members, is_host=False)


def _namespace(
    type_: NamespaceType,
    identity: NamespaceIdentity | None,
    members: Sequence[ProcessIndex],
    *,
    is_host: bool,
) -> Namespace:
    return Namespace(type=type_, identity=identity, is_host=is_host, members=tuple(members))


def _across_pods(
    type_: NamespaceType, groups: Iterable[Sequence[ProcessIndex]], pods: Sequence[Matrix]
) -> list[list[ProcessIndex]]:
    """The groups of single pods, those joined that are one namespace.

    Over pods that is only claimed by the kernel's ids: a number without one may be that of a
    process which ended in silence, and nothing in the other pod would tell.
    """
    joined: list[list[ProcessIndex]] = []
    by_id: dict[str, list[list[ProcessIndex]]] = {}
    for group in groups:
        one = pods[group[0].pod].processes[group[0].process]
        actual = one.namespaces[type_].actual
        same = by_id.setdefault(actual.ns_id, []) if actual and actual.ns_id else []
        for other in same:
            theirs = pods[other[0].pod].processes[other[0].process]
            if lived_at_once(one, theirs) and in_one(type_, one, theirs):
                other.extend(group)
                break
        else:
            same.append(list(group))
            joined.append(same[-1])
    return joined
