"""What `nsledger sql` can be asked for: views with columns that stay, over tables that may change.

They tell what records say of themselves. Who was where at a moment, where an inode was given again
without a word, only whois tells: it folds the records. The connection is read-only three times
over: by how the file is opened, by an authorizer that knows SELECT and nothing else, and by a bound
on the time that a statement takes.

Source: https://www.sqlite.org/c3ref/set_authorizer.html and https://www.sqlite.org/lang_select.html
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import Final

from nsledger.index.entries import unpack
from nsledger.index.sqlite_tables import TYPES, unsigned
from nsledger.model.record import rfc3339


@dataclass(frozen=True, slots=True)
class View:
    """One view, its columns in order with what they hold."""

    name: str
    purpose: str
    columns: tuple[tuple[str, str], ...]
    select: str


_POD: Final = (
    ("pod_sandbox_id", "the runtime's id of the pod sandbox"),
    ("k8s_namespace", "the Kubernetes namespace"),
    ("pod", "its name"),
)
_SPAN: Final = (
    ("since", "RFC 3339: when its first process was seen; NULL if none was"),
    ("until", "RFC 3339: when a record ended it; NULL if none did"),
    ("records", "sequence numbers of the entries about it, with commas"),
)
_OF_POD: Final = "o.pod_sandbox_id, o.k8s_namespace, o.name"
_OF_SPAN: Final = "rfc3339(nullif(p.since_ns, 0)), rfc3339(p.until_ns), records(p.entries)"
_JOINED: Final = "FROM process p LEFT JOIN pod o ON o.id = p.pod"
_NAMESPACE: Final = (
    "SELECT type_name(l.type), l.ino, unsigned(l.ns_id), "
    f"{_OF_POD}, p.name, p.container_id, p.pid, {_OF_SPAN}"
)

VIEWS: Final = (
    View(
        "pods",
        "pod sandboxes",
        (*_POD, ("uid", "Kubernetes' uid of the pod"), ("attempt", "of the sandbox"), *_SPAN),
        f"SELECT {_OF_POD}, o.uid, o.attempt, {_OF_SPAN} {_JOINED} WHERE p.kind = 0",
    ),
    View(
        "containers",
        "containers",
        (
            *_POD,
            ("container", "its name"),
            ("container_id", "the runtime's id"),
            ("attempt", "0 for the first start, then one more for each restart"),
            ("pid", "of its first process, on the host; 0 if none was read"),
            *_SPAN,
        ),
        f"SELECT {_OF_POD}, p.name, p.container_id, p.attempt, p.pid, {_OF_SPAN} {_JOINED}"
        " WHERE p.kind = 1",
    ),
    View(
        "namespaces",
        "which process was read in which namespace; the host's are left out",
        (
            ("type", "cgroup, ipc, mnt, net, pid, time, user or uts"),
            ("ino", "inode; given again when the namespace is gone"),
            (
                "ns_id",
                "the kernel's id, as text; of one boot never given again; NULL on older kernels",
            ),
            *_POD,
            ("container", "empty for the pod's sandbox"),
            ("container_id", "the same"),
            ("pid", "of the process, on the host"),
            *_SPAN,
        ),
        f"{_NAMESPACE} FROM place l JOIN process p ON p.id = l.process"
        " LEFT JOIN pod o ON o.id = p.pod"
        f" UNION ALL {_NAMESPACE} FROM place l JOIN process s ON s.id = l.process AND s.kind = 0"
        " JOIN process p ON p.pod = s.pod AND p.kind = 1 AND p.shared >> l.type & 1"
        " JOIN pod o ON o.id = p.pod",
    ),
    View(
        "names",
        "IPs, interfaces on the node and network namespace paths of pods",
        (("name", "an IP, an interface on the node, or a path under /run/netns"), *_POD, *_SPAN),
        f"SELECT n.name, {_OF_POD}, {_OF_SPAN} {_JOINED} JOIN name n ON n.process = p.id",
    ),
    View(
        "gaps",
        "when nobody watched",
        (("since", "RFC 3339"), ("until", "RFC 3339"), ("reason", "why")),
        "SELECT rfc3339(since_ns), rfc3339(until_ns), told ->> 'reason' FROM hole",
    ),
    View(
        "boots",
        "boots of the node",
        (("boot_id", "random(4)"), ("since", "RFC 3339: its first record")),
        "SELECT boot_id, rfc3339(since_ns) FROM boot",
    ),
)

_ALLOWED: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE})
_NAMES: Final = frozenset(view.name for view in VIEWS)
_INSTRUCTIONS: Final = 10_000
"""Between two looks at the clock: a few milliseconds."""


def prepare(database: sqlite3.Connection, *, timeout_s: float) -> None:
    """Make the views on this connection, and let it do nothing but read them, for so long."""
    database.create_function("rfc3339", 1, _rfc3339, deterministic=True)
    database.create_function("records", 1, _records, deterministic=True)
    database.create_function("type_name", 1, _type_name, deterministic=True)
    database.create_function("unsigned", 1, unsigned, deterministic=True)
    for view in VIEWS:
        columns = ", ".join(name for name, _ in view.columns)
        database.execute(f"CREATE TEMP VIEW {view.name} ({columns}) AS {view.select}")
    database.execute("PRAGMA query_only = ON")
    until_s = time.monotonic() + timeout_s
    database.set_progress_handler(lambda: time.monotonic() > until_s, _INSTRUCTIONS)
    database.set_authorizer(_authorize)


def _rfc3339(time_ns: int | None) -> str | None:
    return None if time_ns is None else rfc3339(time_ns)


def _records(entries: bytes) -> str:
    return ",".join(str(at.seq) for at in unpack(entries))


def _type_name(number: int) -> str:
    return str(TYPES[number])


def _authorize(
    action: int, table: str | None, column: str | None, _database: str | None, view: str | None
) -> int:
    """Whether a statement may do what it is about to."""
    if action in _ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_OK
    # No column: rows are only counted.
    if action == sqlite3.SQLITE_READ and (view is not None or table in _NAMES or not column):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
