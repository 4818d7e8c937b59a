"""What a namespace can be asked for by: the X of `nsledger whois X`.

Source: namespaces(7) for `net:[4026532254]` and /proc/<pid>/ns/<type>.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, assert_never

from nsledger.domain.interval import Interval
from nsledger.domain.namespaces import NamespaceType
from nsledger.errors import NsledgerError


class NotAQuestionError(NsledgerError):
    """A text that names no namespace and no process."""

    hint = (
        "Give net:[4026532254], a bare inode, a 64-bit namespace id, a pid, or /proc/PID/ns/TYPE; "
        "ino:N, id:N and pid:N say which kind of number is meant."
    )

    def __init__(self, *, text: str) -> None:
        super().__init__(f"found {text[:60]!r}, needed a namespace or a process")
        self.text = text


@dataclass(frozen=True, slots=True)
class ByInode:
    """A namespace by its inode number, of one type or of any."""

    ino: int
    type: NamespaceType | None


@dataclass(frozen=True, slots=True)
class ByNamespaceId:
    """A namespace by what NS_GET_ID answers."""

    ns_id: str


@dataclass(frozen=True, slots=True)
class ByPid:
    """A process by its number on the host; of one type, or all its namespaces."""

    pid: int
    type: NamespaceType | None = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A bare number, which may be any of the three: the record decides."""

    number: int


Question = ByInode | ByNamespaceId | ByPid | AnyOf

_TYPES: Final = "|".join(NamespaceType)
_SHAPE: Final = re.compile(
    rf"(?P<type>{_TYPES}):\[(?P<of_type>\d+)\]"
    rf"|/proc/(?P<proc>\d+)/ns/(?P<link>{_TYPES})"
    rf"|(?P<kind>ino|id|{_TYPES}):(?P<of_kind>\d+)"
    r"|(?P<bare>\d+)",
    re.ASCII,
).fullmatch
_LONGEST: Final = len("/proc/18446744073709551615/ns/cgroup")


def parse(text: str) -> Question:
    """The question that `text` asks.

    `pid:[N]` is a pid namespace, as the kernel writes it; `pid:N` is a process.

    Raises:
        NotAQuestionError: it asks none.
    """
    shape = _SHAPE(text) if len(text) <= _LONGEST else None
    if shape is None:
        raise NotAQuestionError(text=text)
    if shape["bare"]:
        return AnyOf(int(shape["bare"]))
    if shape["type"]:
        return ByInode(int(shape["of_type"]), NamespaceType(shape["type"]))
    if shape["proc"]:
        return ByPid(int(shape["proc"]), NamespaceType(shape["link"]))
    number = int(shape["of_kind"])
    match shape["kind"]:
        case "ino":
            return ByInode(number, None)
        case "id":
            return ByNamespaceId(str(number))
        case "pid":
            return ByPid(number)
        case type_:
            return ByInode(number, NamespaceType(type_))


def answers(question: Question, interval: Interval) -> bool:
    """Whether `interval` is about what `question` asks for."""
    match question:
        case ByInode(ino=ino, type=type_):
            return interval.identity.ino == ino and type_ in {None, interval.type}
        case ByNamespaceId(ns_id=ns_id):
            return interval.identity.ns_id == ns_id
        case ByPid(pid=pid, type=type_):
            return interval.pid == pid and type_ in {None, interval.type}
        case AnyOf(number=number):
            return (
                interval.identity.ino == number
                or interval.identity.ns_id == str(number)
                or interval.pid == number
            )
        case _:
            assert_never(question)
