"""A busy node's year, in small or in full: pods of two containers come and go, inodes are reused.

Records are filled into templates that a synthetic node wrote, so they have every field that real
ones have. Inodes are given as the kernel gives them: the lowest that is free.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nsledger.ledger.layout import segment_name
from nsledger.ledger.line import GENESIS, link
from nsledger.model.record import rfc3339
from tests.synthetic_node import SyntheticNode

SEGMENT_BYTES = 64 << 20
LIVE_PODS = 110
YEAR_RECORDS = 10_000_000
_START_NS = 1_795_478_630_123_456_789
_BATCH = 2000
_REMEMBERED = 1500
_TOKENS = re.compile(
    rb"(?P<ino>99000\d{5})|(?P<ns>88000\d{5})|(?P<pid>77000\d{3})"
    rb"|(?P<sandbox>5a[0-9a-f]{62})|(?P<container>c0[0-9a-f]{62})"
    rb"|(?P<uid>6f1c2d3e-[0-9a-f-]+)|(?P<path>cni-[0-9a-f]{8})|(?P<veth>veth[0-9a-f]{8})|(?P<ip>10\.88\.0\.\d+)"
    rb'|(?P<hook>(?<="hook_time":")[^"]+)|(?P<time>(?<="time":")\d{4}-[^"]+)'
    rb'|(?P<mono>(?<="mono_ns":)\d+)|(?P<ticks>(?<="start_ticks":)\d+)|(?P<name>pod-name)'
)


@dataclass(frozen=True, slots=True)
class Lived:
    """A container as it really was: what answers are held against."""

    at_ns: int
    """A moment of its life."""
    sandbox_id: str
    container_id: str
    pid: int
    ip: str
    net_ino: int
    mnt_ino: int
    mnt_id: int


Template = list[tuple[bytes, str, bytes]]
"""Of one record: what stands before a token, the token's kind, and the token."""


def _templates() -> tuple[list[bytes], list[Template], list[Template]]:
    """The first records of a ledger, the start of a pod, and its end."""
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    first = list(node.records)
    node._fresh = itertools.count(9_900_000_001)
    node._ns_ids = itertools.count(8_800_000_001)
    node._pids = itertools.count(77_000_001)
    pod = node.run_pod("pod-name")
    for name in ("app", "sidecar"):
        node.run_container(pod, name)
    starts = node.records[len(first) :]
    node.stop_pod(pod)
    node.remove_pod(pod)
    ends = node.records[len(first) + len(starts) :]
    return first, [_split(one) for one in starts], [_split(one) for one in ends]


def _split(record: bytes) -> Template:
    parts: Template = []
    end = 0
    for token in _TOKENS.finditer(record):
        parts.append((record[end : token.start()], token.lastgroup or "", token[0]))
        end = token.end()
    parts.append((record[end:], "", b""))
    return parts


class Year:
    """Makes the records one after the other, and remembers some of what was true."""

    def __init__(self, records: int, seed: int = 1) -> None:
        self.lived: list[Lived] = []
        self._records = records
        self._chance = random.Random(seed)
        self._free: list[int] = []
        self._fresh = itertools.count(4_026_532_254)
        self._ids = itertools.count(4_300)
        self._pids = itertools.count(0)
        self._serial = itertools.count(1)
        self._now_ns = _START_NS
        self._apart_ns = 365 * 86_400 * 10**9 // YEAR_RECORDS

    @property
    def ends_ns(self) -> int:
        """When the last record was written."""
        return self._now_ns

    def lines(self) -> Iterator[bytes]:
        """The records, in order."""
        first, starts, ends = _templates()
        yield from first
        ending: list[tuple[int, int, dict[bytes, bytes], list[int]]] = []
        for number in itertools.count():
            values: dict[bytes, bytes] = {}
            inodes: list[int] = []
            began_ns = self._now_ns
            for one in starts:
                yield self._fill(one, values, inodes)
            self._remember(number, values)
            # Most pods are short; some stay for a long time.
            stay = self._chance.randrange(1, 2 * LIVE_PODS)
            if self._chance.random() < 0.02:
                stay *= 50
            heapq.heappush(ending, (number + stay, began_ns, values, inodes))
            while ending and (ending[0][0] <= number or len(ending) > 2 * LIVE_PODS):
                _, _, values, inodes = heapq.heappop(ending)
                for one in ends:
                    yield self._fill(one, values, inodes)
                for ino in inodes:
                    heapq.heappush(self._free, ino)

    def _fill(self, template: Template, values: dict[bytes, bytes], inodes: list[int]) -> bytes:
        self._now_ns += self._chance.randrange(1, 2 * self._apart_ns)
        parts: list[bytes] = []
        for before, kind, token in template:
            parts.append(before)
            match kind:
                case "":
                    continue
                case "time" | "hook":
                    parts.append(rfc3339(self._now_ns).encode())
                case "mono":
                    parts.append(b"%d" % (self._now_ns - _START_NS + 7 * 10**9))
                case "ticks":
                    parts.append(b"%d" % ((self._now_ns - _START_NS) // 10_000_000 + 700))
                case _:
                    known = values.get(token)
                    if known is None:
                        known = values[token] = self._new(kind, inodes)
                    parts.append(known)
        return b"".join(parts)

    def _new(self, kind: str, inodes: list[int]) -> bytes:
        serial = next(self._serial)
        made: dict[str, Callable[[], bytes]] = {
            "ns": lambda: b"%d" % next(self._ids),
            "pid": lambda: b"%d" % (300 + next(self._pids) * 7 % 4_000_000),
            "sandbox": lambda: _id(serial),
            "container": lambda: _id(serial),
            "uid": lambda: b"6f1c2d3e-0000-4000-8000-%012x" % serial,
            "path": lambda: b"cni-%08x" % serial,
            "veth": lambda: b"veth%08x" % serial,
            "ip": lambda: b"10.%d.%d.%d" % (88, serial // 250 % 250, 2 + serial % 250),
            "name": lambda: b"checkout-%x" % serial,
        }
        if kind != "ino":
            return made[kind]()
        ino = heapq.heappop(self._free) if self._free else next(self._fresh)
        inodes.append(ino)
        return b"%d" % ino

    def _remember(self, number: int, values: dict[bytes, bytes]) -> None:
        """Keep some of all pods so far, each as likely as any other."""
        if len(self.lived) < _REMEMBERED:
            self.lived.append(_lived(values, self._now_ns))
        elif self._chance.randrange(number + 1) < _REMEMBERED:
            self.lived[self._chance.randrange(_REMEMBERED)] = _lived(values, self._now_ns)


def _id(serial: int) -> bytes:
    return hashlib.sha256(b"%d" % serial).hexdigest().encode()


def _lived(values: dict[bytes, bytes], now_ns: int) -> Lived:
    """The pod's first container. The order of tokens is that of the template's records."""
    by_kind: dict[str, list[str]] = {}
    for token, value in values.items():
        match = _TOKENS.fullmatch(token)
        kind = "ip" if match is None else match.lastgroup or ""
        by_kind.setdefault(kind, []).append(value.decode())
    # Of the sandbox cgroup, ipc, mnt, net, pid and uts; of a container cgroup, mnt and pid.
    return Lived(
        at_ns=now_ns,
        sandbox_id=by_kind["sandbox"][0],
        container_id=by_kind["container"][0],
        pid=int(by_kind["pid"][1]),
        ip=by_kind["ip"][0],
        net_ino=int(by_kind["ino"][3]),
        mnt_ino=int(by_kind["ino"][7]),
        mnt_id=int(by_kind["ns"][7]),
    )


def write(directory: str, records: int) -> Year:
    """A ledger of so many records in a new `directory`, and what was true in it."""
    os.makedirs(directory)
    year = Year(records)
    lines = year.lines()
    head = GENESIS
    while head.seq < records:
        with open(os.path.join(directory, segment_name(head.seq + 1)), "wb") as segment:
            while head.seq < records and segment.tell() < SEGMENT_BYTES:
                batch = itertools.islice(lines, min(_BATCH, records - head.seq))
                data, head = link(head, batch)
                segment.write(data)
    year.lived = [one for one in year.lived if one.at_ns < year.ends_ns]
    return year
