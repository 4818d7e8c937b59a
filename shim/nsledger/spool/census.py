"""What lies in the spool: counted without a lock and without touching anything."""

from __future__ import annotations

import os
from collections import Counter

import msgspec

from nsledger.spool.directory import QUARANTINE_NAME, RECORD_SUFFIX


class Census(msgspec.Struct, frozen=True):
    """Numbers of files."""

    waiting: int
    """Hook records that are not taken in yet."""
    quarantined: dict[str, int]
    """Files that were moved aside, by reason."""


def census(path: str) -> Census | None:
    """What lies in the spool directory at `path`; None if there is none.

    Raises:
        OSError: it may not be looked at.
    """
    try:
        waiting = sum(
            name.endswith(RECORD_SUFFIX) and not name.startswith(".") for name in os.listdir(path)
        )
    except FileNotFoundError:
        return None
    try:
        aside = os.listdir(os.path.join(path, QUARANTINE_NAME))
    except FileNotFoundError:
        aside = []
    # Named `<reason>-<mtime>-<inode>` by the daemon.
    reasons = Counter(name.partition("-")[0] for name in aside)
    return Census(waiting=waiting, quarantined=dict(sorted(reasons.items())))
