"""The hook against real processes: what it records is what the kernel says."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.model.namespaces import assigned_by_oci
from nsledger_hook import hook
from tests.integration.hook_runs import (
    HOOK,
    PYTHON,
    child_of,
    links_in,
    links_of,
    process,
    records_in,
    run_hook,
    state_of,
    wait_until,
    witness,
)

ALL_NEW = ("--mount", "--uts", "--ipc", "--net", "--pid", "--user", "--cgroup", "--time")


@pytest.fixture
def sleeper() -> Iterator[int]:
    """A process in this test's own namespaces."""
    with process("sleep", "60") as pid:
        yield pid


@pytest.fixture
def unshared() -> Iterator[tuple[int, int]]:
    """A process in eight new namespaces, and its parent, which kept the old pid and time ones."""
    with process("unshare", *ALL_NEW, "--fork", "--map-root-user", "sleep", "60") as parent:
        child = child_of(parent)
        yield child, parent
        os.kill(child, signal.SIGKILL)


def start_ticks(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat, for a process whose name is a plain word."""
    return int(Path(f"/proc/{pid}/stat").read_text().split()[21])


def kernel_id(pid: int, type_: str) -> str | None:
    """What NS_GET_ID answers, in decimal; None where the kernel has no such question."""
    fd = os.open(f"/proc/{pid}/ns/{type_}", os.O_RDONLY)
    try:
        return str(int.from_bytes(fcntl.ioctl(fd, 0x8008B70D, bytes(8)), sys.byteorder))
    except OSError:
        return None
    finally:
        os.close(fd)


def test_a_process_is_recorded_as_the_kernel_shows_it(sleeper: int, tmp_path: Path) -> None:
    record = witness(state_of(sleeper), tmp_path, "--stage", "createRuntime")

    assert links_in(record["namespaces"]) == links_of(sleeper)
    assert record["missing"] == {}
    assert record["pid"] == sleeper
    assert record["start_ticks"] == start_ticks(sleeper)
    assert record["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert record["stage"] == "createRuntime"
    assert "uid_map" not in record
    assert "for_children" not in record


def test_namespaces_have_the_ids_that_the_kernel_gives_them(sleeper: int, tmp_path: Path) -> None:
    record = witness(state_of(sleeper), tmp_path)

    ids = {type_: seen.get("ns_id") for type_, seen in record["namespaces"].items()}
    assert ids == {type_: kernel_id(sleeper, type_) for type_ in hook.TYPES}


@pytest.mark.root
def test_all_eight_new_namespaces_are_recorded_with_their_owner_and_id_maps(
    unshared: tuple[int, int], tmp_path: Path
) -> None:
    pid, _ = unshared

    record = witness(state_of(pid), tmp_path)

    links = links_of(pid)
    assert links_in(record["namespaces"]) == links
    assert set(links.values()).isdisjoint(links_of(os.getpid()).values())
    owners = {type_: seen["owner_ino"] for type_, seen in record["namespaces"].items()}
    mine = os.stat("/proc/self/ns/user").st_ino
    assert owners == dict.fromkeys(hook.TYPES, links["user"][1]) | {"user": mine}
    assert record["uid_map"] == record["gid_map"] == [[0, 0, 1]]


@pytest.mark.root
def test_where_children_will_start_is_recorded_if_it_is_elsewhere(
    unshared: tuple[int, int], tmp_path: Path
) -> None:
    child, parent = unshared

    record = witness(state_of(parent), tmp_path)

    assert links_in(record["for_children"]) == links_of(child, "pid", "time")
    assert links_in(record["namespaces"])["pid"] == links_of(os.getpid())["pid"]


@pytest.mark.root
def test_the_map_of_a_pod_with_a_user_namespace_is_recorded_line_by_line(tmp_path: Path) -> None:
    with process("unshare", "--user", "sleep", "60") as pid:
        wait_until(lambda: links_of(pid, "user") != links_of(os.getpid(), "user"))
        for map_ in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{map_}").write_text("0 100000 65536\n70000 300000 10\n")

        record = witness(state_of(pid), tmp_path)

    assert record["uid_map"] == record["gid_map"] == [[0, 100000, 65536], [70000, 300000, 10]]


def test_a_name_with_spaces_and_brackets_does_not_shift_the_start_time(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    spool = tmp_path / "spool"
    spool.mkdir()
    with process(str(program), "60") as pid:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()

        record = witness(state_of(pid), spool)

    assert record["start_ticks"] == int(fields[19])


def test_a_process_that_is_gone_is_recorded_as_gone(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    child.wait()

    run = run_hook(state_of(child.pid), "--spool", tmp_path)

    (record,) = records_in(tmp_path)
    assert run.exit_code == 0
    assert record["pid"] == child.pid
    assert record["namespaces"] == {}
    assert record["missing"] == dict.fromkeys(hook.TYPES, "ENOENT")
    assert record["errors"] == ["process_vanished", "namespaces_partial"]


def test_a_dead_process_that_nobody_waited_for_is_marked_partial(tmp_path: Path) -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    try:
        run_hook(state_of(child.pid), "--spool", tmp_path)
    finally:
        child.wait()

    (record,) = records_in(tmp_path)
    assert record["start_ticks"] is not None
    assert record["missing"]["net"] == "ENOENT"
    assert set(record["missing"]) | set(record["namespaces"]) == set(hook.TYPES)
    assert record["errors"] == ["namespaces_partial"]


@pytest.mark.root
def test_a_process_that_may_not_be_read_has_the_reason_on_record(sleeper: int) -> None:
    become_nobody = "os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)"

    with tempfile.TemporaryDirectory(prefix="nsl-") as name:
        spool = Path(name)
        spool.chmod(0o777)
        readable_hook = shutil.copy(HOOK, spool / ".hook")
        program = (PYTHON, "-I", "-S", readable_hook)

        run = run_hook(state_of(sleeper), "--spool", spool, program=program, prepare=become_nobody)

        (record,) = records_in(spool)
    assert run.exit_code == 0
    assert record["missing"] == dict.fromkeys(hook.TYPES, "EACCES")
    assert record["errors"] == ["namespaces_partial"]


@pytest.mark.parametrize("state", [state_of(None), state_of(0)], ids=["absent", "zero"])
def test_without_a_pid_as_at_poststop_there_is_a_record_that_says_so(
    state: bytes, tmp_path: Path
) -> None:
    record = witness(state, tmp_path, "--stage", "poststop")

    assert record["pid"] is None
    assert record["namespaces"] == {}
    assert record["missing"] == dict.fromkeys(hook.TYPES, "no_pid")


@pytest.mark.parametrize("status", ["creating", "created", "stopped"])
def test_a_record_keeps_the_status_that_the_runtime_gives(status: str, tmp_path: Path) -> None:
    record = witness(state_of(os.getpid(), status=status, root="/rootfs"), tmp_path)

    assert record["status"] == status


def test_the_assigned_namespaces_are_those_of_the_bundle(tmp_path: Path) -> None:
    listed = [("pid", ""), ("network", "/var/run/netns/cni-1"), ("mount", ""), ("future", "/x")]
    entries = [{"type": type_, **({"path": path} if path else {})} for type_, path in listed]
    (tmp_path / "config.json").write_text(json.dumps({"linux": {"namespaces": entries}}))
    spool = tmp_path / "spool"
    spool.mkdir()

    record = witness(state_of(os.getpid(), bundle=str(tmp_path)), spool)

    assert record["bundle"] == str(tmp_path)
    assert record["assigned"] == assigned_by_oci(listed)
