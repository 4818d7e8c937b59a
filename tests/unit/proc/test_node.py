from __future__ import annotations

import os
import re
import subprocess

import pytest

from nsledger.model.namespaces import NamespaceReading, NamespaceType
from nsledger.proc import host
from nsledger.proc.namespaces import read_namespaces


def test_the_hosts_namespaces_are_those_of_the_first_process_or_ours() -> None:
    reference = host.host_reference()

    assert reference.reading.complete
    pid = {"/proc/1/ns": 1, "/proc/self/ns": os.getpid()}[reference.path]
    assert reference.reading.pid == pid


@pytest.mark.parametrize(
    ("missing", "path"),
    [
        ({}, "/proc/1/ns"),
        ({NamespaceType.TIME: "ENOENT"}, "/proc/1/ns"),  # a kernel without time namespaces
        (dict.fromkeys(NamespaceType, "EACCES"), "/proc/self/ns"),
    ],
)
def test_our_own_namespaces_stand_in_only_where_the_first_process_refuses(
    missing: dict[NamespaceType, str], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(pid: int) -> NamespaceReading:
        return NamespaceReading(pid=1, missing=missing) if pid == 1 else read_namespaces(pid)

    monkeypatch.setattr(host, "read_namespaces", read)

    assert host.host_reference().path == path


def test_a_boot_has_an_id() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", host.boot_id())
    assert host.boot_id() == host.boot_id()


def test_the_cgroup_version_is_what_is_mounted() -> None:
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", "/sys/fs/cgroup"],
        check=True,
        capture_output=True,
        text=True,
        timeout=10,
    ).stdout.strip()

    assert host.cgroup_version() == (2 if kind == "cgroup2fs" else 1)


def test_the_kernel_and_the_node_have_names() -> None:
    assert host.kernel_release() == os.uname().release
    assert host.node_name() == os.uname().nodename.lower()
