from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.proc.hierarchy import hierarchy
from tests.integration.hook_runs import child_of, process, wait_until

pytestmark = pytest.mark.root


def test_nested_pid_namespaces_are_found_with_their_parents() -> None:
    with process("unshare", "--pid", "--fork", "unshare", "--pid", "--fork", "sleep", "60") as one:
        children = Path(f"/proc/{one}/task/{one}/children")
        wait_until(lambda: children.read_text() != "")
        middle = int(children.read_text())
        inner = child_of(middle)
        outer_ino = os.stat(f"/proc/{middle}/ns/pid").st_ino
        inner_ino = os.stat(f"/proc/{inner}/ns/pid").st_ino

        found = hierarchy(NamespaceType.PID)
        os.kill(inner, 9)

    own = os.stat("/proc/self/ns/pid").st_ino
    assert found.namespaces[inner_ino].parent == outer_ino
    assert found.namespaces[outer_ino].parent == own
    assert found.namespaces[inner_ino].pids == [inner]
    assert os.getpid() in found.namespaces[own].pids


def test_a_user_namespace_owns_what_was_made_in_it() -> None:
    with process("unshare", "--user", "--pid", "--fork", "sleep", "60") as parent:
        child = child_of(parent)
        user_ino = os.stat(f"/proc/{child}/ns/user").st_ino
        pid_ino = os.stat(f"/proc/{child}/ns/pid").st_ino

        users, pids = hierarchy(NamespaceType.USER), hierarchy(NamespaceType.PID)
        os.kill(child, 9)

    assert users.namespaces[user_ino].parent == os.stat("/proc/self/ns/user").st_ino
    assert pids.namespaces[pid_ino].identity.owner_ino == user_ino
