from __future__ import annotations

import fcntl
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nsledger.model.namespaces import IdMapping, NamespaceReading, NamespaceType
from nsledger.proc import namespaces
from nsledger.proc.namespaces import read_namespaces
from nsledger.proc.process import open_process, read_stat

NOBODY = 65534
SO_NETNS_COOKIE = 71


@contextmanager
def child(*command: str) -> Iterator[int]:
    """The pid of `command` once the program in its last arguments said that it runs."""
    ready = "print(flush=True); import sys; sys.stdin.read()"
    with subprocess.Popen(
        [*command, sys.executable, "-S", "-c", ready],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.stdin.close()


def inodes_by_readlink(pid: int) -> dict[NamespaceType, int]:
    links = {type_: os.readlink(f"/proc/{pid}/ns/{type_}") for type_ in NamespaceType}
    return {type_: int(re.sub(r"\D", "", link)) for type_, link in links.items()}


def test_what_is_read_is_what_readlink_says() -> None:
    reading = read_namespaces(os.getpid())

    assert reading.complete
    assert inodes_by_readlink(os.getpid()) == {
        type_: identity.ino for type_, identity in reading.namespaces.items()
    }
    device = os.stat("/proc/self/ns/net").st_dev
    assert {identity.dev for identity in reading.namespaces.values()} == {device}


@pytest.mark.root
def test_new_namespaces_are_told_from_old_ones() -> None:
    with child("unshare", "--mount", "--uts", "--ipc", "--net", "--cgroup") as pid:
        reading = read_namespaces(pid)
        expected = inodes_by_readlink(pid)
    own = read_namespaces(os.getpid())

    assert {type_: identity.ino for type_, identity in reading.namespaces.items()} == expected
    different = {
        type_
        for type_ in NamespaceType
        if not reading.namespaces[type_].same_as(own.namespaces[type_])
    }
    assert different == {
        NamespaceType.MNT,
        NamespaceType.UTS,
        NamespaceType.IPC,
        NamespaceType.NET,
        NamespaceType.CGROUP,
    }


def test_a_namespace_id_is_told_for_all_types_or_for_none() -> None:
    reading = read_namespaces(os.getpid())
    ids = [identity.ns_id for identity in reading.namespaces.values()]

    assert all(id_ is None for id_ in ids) or len(set(ids)) == len(NamespaceType)


def test_a_namespace_id_is_what_the_kernel_answers_to_its_name() -> None:
    """NS_GET_ID is _IOR(0xb7, 13, __u64); for a network namespace it is its sockets' cookie."""
    answer = bytearray(8)
    with open("/proc/self/ns/net", "rb") as namespace, socket.socket() as inside:
        try:
            fcntl.ioctl(namespace, 2 << 30 | 8 << 16 | 0xB7 << 8 | 13, answer)
        except OSError:
            pytest.skip("this kernel has no NS_GET_ID")
        cookie = inside.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8)

    net = read_namespaces(os.getpid()).namespaces[NamespaceType.NET]

    assert net.ns_id == str(int.from_bytes(answer, sys.byteorder))
    assert answer == cookie


@pytest.mark.root
def test_a_namespace_made_in_a_user_namespace_is_owned_by_it() -> None:
    with child("unshare", "--user", "--map-root-user", "--net") as pid:
        reading = read_namespaces(pid)

    user = reading.namespaces[NamespaceType.USER]
    assert reading.namespaces[NamespaceType.NET].owner_ino == user.ino
    assert reading.namespaces[NamespaceType.IPC].owner_ino != user.ino
    own_user = read_namespaces(os.getpid()).namespaces[NamespaceType.USER]
    assert user.owner_ino == own_user.ino


@pytest.mark.root
def test_the_id_maps_of_a_user_namespace_are_read_and_nobody_elses() -> None:
    with child("unshare", "--user", "--map-root-user") as pid:
        inside = read_namespaces(pid)

    assert inside.uid_map == (IdMapping(container_id=0, host_id=0, length=1),)
    assert inside.gid_map == (IdMapping(container_id=0, host_id=0, length=1),)
    assert read_namespaces(os.getpid()).uid_map == ()


@pytest.mark.root
def test_a_namespace_that_only_children_get_is_told_apart() -> None:
    with child("unshare", "--pid", "--fork") as pid:
        reading = read_namespaces(pid)  # `unshare` itself, which stays outside
    ordinary = read_namespaces(os.getpid())

    of_children = reading.for_children["pid_for_children"]
    assert not of_children.same_as(reading.namespaces[NamespaceType.PID])
    assert ordinary.for_children == {}


@pytest.mark.root
def test_without_the_right_to_look_every_type_is_missing_with_the_errno() -> None:
    script = (
        "import os, sys; from nsledger.proc.namespaces import read_namespaces; "
        f"os.setgid({NOBODY}); os.setuid({NOBODY}); "
        "print(*sorted(set(read_namespaces(int(sys.argv[1])).missing.values())))"
    )
    with child() as pid:
        said = subprocess.run(
            [sys.executable, "-c", script, str(pid)],
            env={"PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        )

    assert said.stdout == "EACCES\n"


def test_a_process_that_is_not_there_is_missing_as_a_whole() -> None:
    reading = read_namespaces(2**31 - 1)

    assert reading == NamespaceReading(
        pid=2**31 - 1, missing=dict.fromkeys(NamespaceType, "ENOENT")
    )


def test_a_process_that_has_ended_but_was_not_waited_for_has_no_namespaces() -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        reading = read_namespaces(ended.pid)

    assert NamespaceType.NET in reading.missing
    assert not reading.complete


def test_another_process_under_the_pid_is_not_taken_for_the_one_meant() -> None:
    process = open_process(os.getpid())
    ticks = read_stat(process).start_ticks
    os.close(process)

    assert read_namespaces(os.getpid(), start_ticks=ticks).complete
    other = read_namespaces(os.getpid(), start_ticks=ticks - 1)
    assert other.missing == dict.fromkeys(NamespaceType, "changed")
    assert other.namespaces == {}


def test_a_process_that_ends_in_the_middle_leaves_a_reading_that_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was read before is its own; what came after is missing, not somebody else's."""
    with subprocess.Popen(["sleep", "30"]) as dying:
        identify = namespaces._identify

        def identify_until_pid(process: int, link: str) -> object:
            if link == NamespaceType.PID:
                dying.kill()
                dying.wait()
            return identify(process, link)

        monkeypatch.setattr(namespaces, "_identify", identify_until_pid)
        reading = read_namespaces(dying.pid)

    assert set(reading.namespaces) == {
        NamespaceType.CGROUP,
        NamespaceType.IPC,
        NamespaceType.MNT,
        NamespaceType.NET,
    }
    assert set(reading.missing) == {
        NamespaceType.PID,
        NamespaceType.TIME,
        NamespaceType.USER,
        NamespaceType.UTS,
    }
    assert set(reading.missing.values()) <= {"ESRCH", "ENOENT"}


def test_reading_leaves_no_descriptor_open() -> None:
    before = set(os.listdir("/proc/self/fd"))

    for pid in (os.getpid(), 1, 2**31 - 1):
        read_namespaces(pid)

    assert set(os.listdir("/proc/self/fd")) == before


def test_a_kernel_without_namespace_ids_leaves_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(namespaces, "_NS_GET_ID", 0xB7FF)  # a number that nsfs does not know

    reading = read_namespaces(os.getpid())

    assert reading.complete
    assert {identity.ns_id for identity in reading.namespaces.values()} == {None}
    assert Path("/proc/self/ns/net").exists()
