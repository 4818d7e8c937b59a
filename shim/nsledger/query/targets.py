"""What a namespace can be asked for by: the X of `nsledger whois X`.

Source: namespaces(7) for `net:[4026532254]` and /proc/<pid>/ns/<type>; ip-netns(8) for /run/netns.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, assert_never

from nsledger.errors import NsledgerError
from nsledger.model.events import Event, PodAssigned, UnknownEvent
from nsledger.model.namespaces import NamespaceIdentity, NamespaceType, canonical_path
from nsledger.state.intervals import Interval, OwnerKind


class NotAQuestionError(NsledgerError):
    """A text that names no namespace and no process."""

    hint = (
        "Give net:[4026532254], a bare inode, a 64-bit namespace id, a pid, /proc/PID/ns/TYPE, "
        "/run/netns/NAME, a container id or four characters of it, a pod's IP, or its veth; ino:N, "
        "id:N and pid:N say which kind of number is meant, dev:NAME that it is an interface."
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
class ByIdentity:
    """One namespace that was looked at: nobody types it, and it is on one boot of one node."""

    boot_id: str
    type: NamespaceType
    identity: NamespaceIdentity


@dataclass(frozen=True, slots=True)
class ByPid:
    """A process by its number on the host; of one type, or all its namespaces."""

    pid: int
    type: NamespaceType | None = None


@dataclass(frozen=True, slots=True)
class ByProcessId:
    """A container or pod sandbox by its id, or by what it begins with."""

    prefix: str


@dataclass(frozen=True, slots=True)
class ByAddress:
    """The network namespace of the pods that had an IP, which is given again like an inode."""

    ip: str
    """As the runtime writes it."""


@dataclass(frozen=True, slots=True)
class ByInterface:
    """The network namespace of the pods that had an interface on the node: a veth's other end."""

    name: str


@dataclass(frozen=True, slots=True)
class ByPath:
    """The network namespace of the pod whose sandbox had it mounted at a path."""

    path: str
    """As `canonical_path` writes it."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """A bare number, which may be an inode, an id or a pid: the record decides."""

    number: int


Named = ByAddress | ByInterface | ByPath
"""What only a record of the pod tells."""
Question = ByInode | ByNamespaceId | ByIdentity | ByPid | ByProcessId | Named | AnyOf

_TYPES: Final = "|".join(NamespaceType)
_INTERFACES: Final = "veth|cali|lxc|eni|azv|gke|tap"
"""How CNI plugins begin the names of what they make on the node; others are asked for by dev:."""
_SHAPE: Final = re.compile(
    rf"(?P<type>{_TYPES}):\[(?P<of_type>\d+)\]"
    rf"|/proc/(?P<proc>\d+)/ns/(?P<link>{_TYPES})"
    rf"|(?P<kind>ino|id|{_TYPES}):(?P<of_kind>\d+)"
    r"|(?P<bare>\d{1,20})"
    r"|(?P<process>[0-9a-f]{4,64})"
    r"|dev:(?P<device>[^/:\s]{1,15})"
    rf"|(?P<interface>(?:{_INTERFACES})[\w.-]{{1,12}})"
    r"|(?P<path>/[^\0]+)",
    re.ASCII,
).fullmatch
_LONGEST: Final = 4096
"""PATH_MAX of Linux."""
LEAST_ID: Final = 10**11
"""A number of twelve digits may also be how a container's id begins."""


def parse(text: str) -> Question:
    """The question that `text` asks.

    `pid:[N]` is a pid namespace, as the kernel writes it; `pid:N` is a process.

    Raises:
        NotAQuestionError: it asks none.
    """
    shape = _SHAPE(text) if len(text) <= _LONGEST else None
    if shape is None:
        return ByAddress(_address(text))
    if shape["bare"]:
        return AnyOf(int(shape["bare"]))
    if shape["process"]:
        return ByProcessId(shape["process"])
    if shape["device"] or shape["interface"]:
        return ByInterface(shape["device"] or shape["interface"])
    if shape["path"]:
        return ByPath(canonical_path(shape["path"]))
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


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError as error:
        raise NotAQuestionError(text=text) from error


def names(question: Question, event: Event | UnknownEvent) -> str:
    """The pod sandbox that `event` tells to be the one `question` asks for; else nothing."""
    if not isinstance(event, PodAssigned):
        return ""
    match question:
        case ByAddress(ip=ip):
            asked_for = ip in event.ips
        case ByInterface(name=name):
            asked_for = name in event.host_interfaces
        case ByPath(path=path):
            asked_for = bool(event.netns_path) and canonical_path(event.netns_path) == path
        case ByInode() | ByNamespaceId() | ByIdentity() | ByPid() | ByProcessId() | AnyOf():
            asked_for = False
        case _:
            assert_never(question)
    return event.pod.pod_sandbox_id if asked_for else ""


def answers(question: Question, interval: Interval, named: Collection[str] = ()) -> bool:
    """Whether `interval` is about what `question` asks for.

    `named` are the pod sandboxes that records named so far (`names`), for those who ask by what
    only a record tells.
    """
    match question:
        case ByInode(ino=ino, type=type_):
            return interval.identity.ino == ino and type_ in {None, interval.type}
        case ByNamespaceId(ns_id=ns_id):
            return interval.identity.ns_id == ns_id
        case ByIdentity(boot_id=boot_id, type=type_, identity=identity):
            return (
                interval.boot_id == boot_id
                and interval.type is type_
                and interval.identity.ino == identity.ino
                and interval.identity.same_as(identity)
            )
        case ByPid(pid=pid, type=type_):
            return interval.pid == pid and type_ in {None, interval.type}
        case ByProcessId(prefix=prefix):
            return interval.owner.process_id.startswith(prefix)
        case ByAddress() | ByInterface() | ByPath():
            return (
                interval.type is NamespaceType.NET
                and interval.owner.kind is not OwnerKind.HOST
                and interval.owner.pod.pod_sandbox_id in named
            )
        case AnyOf(number=number):
            return (
                interval.identity.ino == number
                or interval.identity.ns_id == str(number)
                or interval.pid == number
                or (number >= LEAST_ID and interval.owner.process_id.startswith(str(number)))
            )
        case _:
            assert_never(question)
