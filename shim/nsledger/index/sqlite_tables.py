"""The tables of an index: pointers into one ledger, and what is needed to find the right ones.

No table holds an answer. A process's row says which entries tell of it, and *at most* from when to
when it may count; whois reads these entries from the ledger again and folds them by the rules of
`domain.ownership`. So an index of another version of the rules is as good as one of this, and the
file can be deleted at any time.

An entry is pointed to by three unsigned 64-bit numbers: `seq`, its byte offset in its segment, and
the first 8 bytes of the SHA-256 of its line.

Source: https://www.sqlite.org/withoutrowid.html, https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

from typing import Final

from nsledger.model.namespaces import NamespaceType

VERSION: Final = 4
"""An index of another version is made anew."""

TYPES: Final = tuple(NamespaceType)
"""A type is stored as its place in here."""

_HALF: Final = 1 << 63
_WHOLE: Final = 1 << 64

SANDBOX: Final = 0
CONTAINER: Final = 1

TABLES: Final = """
CREATE TABLE meta (      -- one row
    version INTEGER NOT NULL,
    state BLOB NOT NULL           -- up to which entry it goes, as JSON (store.Mark)
) STRICT;
CREATE TABLE pod (
    id INTEGER PRIMARY KEY,
    pod_sandbox_id TEXT NOT NULL,
    k8s_namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,   -- of the entries that tell of it
    over_seq INTEGER,             -- it is over from then on; NULL while it may be there
    removed_seq INTEGER,          -- the record that removed it
    noteworthy INTEGER NOT NULL   -- 1: a finding may be about it
) STRICT;
CREATE TABLE told (      -- which entries tell of a pod, in portions; of pod 0, nobody said which
    pod INTEGER NOT NULL,
    seq INTEGER NOT NULL,         -- of the first of them
    entries BLOB NOT NULL,
    PRIMARY KEY (pod, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE also (      -- what else a record calls a pod than its row does: names and uids
    name TEXT NOT NULL,
    pod INTEGER NOT NULL
) STRICT;
CREATE TABLE link (one INTEGER NOT NULL, other INTEGER NOT NULL) STRICT; -- folded together
CREATE TABLE request (   -- of pods that have no id: asked for in vain
    k8s_namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    uid TEXT NOT NULL,
    entry BLOB NOT NULL
) STRICT;
CREATE TABLE node (      -- entries that are about no pod
    seq INTEGER PRIMARY KEY,
    event TEXT NOT NULL,
    time_ns INTEGER NOT NULL,
    entry BLOB NOT NULL
) STRICT;
CREATE TABLE period (    -- telling.PERIOD entries each; the one that goes on is in meta
    number INTEGER PRIMARY KEY,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    offset INTEGER NOT NULL,      -- of its first line in its segment
    since_ns INTEGER NOT NULL,    -- the earliest time told in it, and the latest
    until_ns INTEGER NOT NULL,
    hook_ns INTEGER,              -- the earliest moment that a hook's record in it is of
    hooks BLOB NOT NULL,          -- those records: pointers, each with its moment
    living BLOB NOT NULL          -- pods that were not removed at its end, 4 bytes each
) STRICT;
CREATE TABLE process (
    id INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,        -- 0 the pod's sandbox, 1 a container
    pod INTEGER NOT NULL,         -- pod.id; 0 where no record told
    container_id TEXT NOT NULL,   -- empty for a sandbox
    name TEXT NOT NULL,           -- of the container
    attempt INTEGER NOT NULL,
    pid INTEGER NOT NULL,         -- 0 where no process was read
    since_ns INTEGER NOT NULL,    -- the earliest time that its records tell
    until_ns INTEGER,             -- time of the record that ended it
    reach_ns INTEGER,             -- it cannot count from then on; NULL while it is open
    first_seq INTEGER NOT NULL,
    last_seq INTEGER,             -- the record that ended it; NULL while it is open
    shared INTEGER NOT NULL,      -- bit N: of type N it has the sandbox's
    of_host INTEGER NOT NULL,     -- bit N: of type N it has the host's
    entries BLOB NOT NULL
) STRICT;
CREATE TABLE place (     -- where a process was read, but for the host's and its sandbox's
    process INTEGER NOT NULL,
    type INTEGER NOT NULL,
    ino INTEGER NOT NULL,
    ns_id INTEGER                 -- two's complement: ids are unsigned
) STRICT;
CREATE TABLE name (      -- what only a record tells of a pod: its IPs, veths, network's path
    name TEXT NOT NULL,
    process INTEGER NOT NULL      -- its sandbox's
) STRICT;
CREATE TABLE host (      -- daemon.started
    entry BLOB NOT NULL,
    changed INTEGER NOT NULL,     -- whether it told other namespaces than the one before
    pid INTEGER NOT NULL
) STRICT;
CREATE TABLE host_place (type INTEGER NOT NULL, ino INTEGER NOT NULL, ns_id INTEGER) STRICT;
CREATE TABLE hole (
    since_ns INTEGER NOT NULL,
    until_ns INTEGER NOT NULL,
    told TEXT NOT NULL,           -- state.coverage.Unwatched as JSON
    entries BLOB NOT NULL,
    seq INTEGER NOT NULL          -- the last of them
) STRICT;
CREATE TABLE boot (entry BLOB NOT NULL, boot_id TEXT NOT NULL, since_ns INTEGER NOT NULL) STRICT;
CREATE TABLE odd (entry BLOB NOT NULL) STRICT; -- records that could not be understood
"""

INDEXES: Final = """
CREATE INDEX IF NOT EXISTS place_ino ON place (ino, process);
CREATE INDEX IF NOT EXISTS place_ns_id ON place (ns_id) WHERE ns_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS process_pod ON process (pod, first_seq);
CREATE INDEX IF NOT EXISTS process_pid ON process (pid) WHERE pid != 0;
CREATE INDEX IF NOT EXISTS process_container ON process (substr(container_id, 1, 12))
    WHERE container_id != '';
CREATE INDEX IF NOT EXISTS process_open ON process (pod) WHERE last_seq IS NULL;
CREATE INDEX IF NOT EXISTS pod_name ON pod (name);
CREATE INDEX IF NOT EXISTS pod_uid ON pod (substr(uid, 1, 18)) WHERE uid != '';
CREATE INDEX IF NOT EXISTS pod_first ON pod (first_seq);
CREATE INDEX IF NOT EXISTS pod_there ON pod (id) WHERE over_seq IS NULL;
CREATE INDEX IF NOT EXISTS pod_kept ON pod (id) WHERE removed_seq IS NULL;
CREATE INDEX IF NOT EXISTS pod_noteworthy ON pod (id) WHERE noteworthy = 1;
CREATE INDEX IF NOT EXISTS also_name ON also (name);
CREATE INDEX IF NOT EXISTS link_one ON link (one);
CREATE INDEX IF NOT EXISTS link_other ON link (other);
CREATE INDEX IF NOT EXISTS pod_sandbox ON pod (substr(pod_sandbox_id, 1, 12));
CREATE INDEX IF NOT EXISTS hole_seq ON hole (seq);
CREATE INDEX IF NOT EXISTS name_name ON name (name);
"""
"""Made after the rows where there are many: sorting once is cheaper than keeping sorted."""


def signed(ns_id: str | None) -> int | None:
    """A namespace id, which has no sign and 64 bits, as SQLite stores it."""
    if ns_id is None:
        return None
    number = int(ns_id)
    return number - _WHOLE if number >= _HALF else number


def unsigned(ns_id: int | None) -> str | None:
    """What `signed` stored, in decimal."""
    return None if ns_id is None else str(ns_id % _WHOLE)
