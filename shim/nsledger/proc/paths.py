"""Where the paths of an OCI spec lead: the namespace behind each, looked at when it is compared.

A path is looked at without opening what it names, unless that lies on nsfs: the spec is the
runtime's, and any file may stand there by now. `/proc/<pid>/ns/…` is followed only into a process
older than the one that is said to have joined it: a pid may have been given again.

It is this process's view of the file system: in another mount namespace than the runtime's, such a
path leads nowhere, and nothing is said.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

from nsledger.domain.namespaces import NamespaceIdentity
from nsledger.proc.namespaces import identity_of
from nsledger.proc.process import open_process, read_stat

_OF_PROCESS: Final = re.compile(r"/proc/([1-9][0-9]{0,9})/(ns/[a-z_]+)").fullmatch


def namespaces_behind(
    paths: Iterable[str], *, joined_ticks: int | None
) -> dict[str, NamespaceIdentity]:
    """The namespace behind each of `paths`; one that leads to none is left out.

    `joined_ticks` is when the process that joined them started, in clock ticks since boot; None if
    it is not known, and then no path through a process is followed.
    """
    found: dict[str, NamespaceIdentity] = {}
    for path in paths:
        try:
            identity = _behind(path, joined_ticks)
        except (OSError, ValueError):
            continue  # gone, not readable, or no path at all (a NUL in it)
        if identity is not None:
            found[path] = identity
    return found


def _behind(path: str, joined_ticks: int | None) -> NamespaceIdentity | None:
    through = _OF_PROCESS(path)
    if through is None:
        return _at(path)
    if joined_ticks is None:
        return None
    process = open_process(int(through[1]))
    try:
        if read_stat(process).start_ticks > joined_ticks:
            return None
        return _opened(f"/proc/self/fd/{process}/{through[2]}")
    finally:
        os.close(process)


def _at(path: str) -> NamespaceIdentity | None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if os.fstat(place).st_dev != os.stat("/proc/self/ns/net").st_dev:
            return None
        return _opened(f"/proc/self/fd/{place}")
    finally:
        os.close(place)


def _opened(path: str) -> NamespaceIdentity:
    namespace = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return identity_of(namespace)
    finally:
        os.close(namespace)
