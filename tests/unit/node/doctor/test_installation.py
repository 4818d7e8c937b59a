"""The daemon, the hook's spool, the ledger and the kubelet, as the doctor finds them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsledger.errors import NsledgerError
from nsledger.node import kubelet_process
from nsledger.node.containerd_plan import Containerd
from nsledger.node.doctor import installed
from nsledger.node.doctor.examine import examine
from nsledger.node.doctor.outcome import Result
from nsledger.node.kubelet_process import peers
from tests.unit.node.doctor.contexts import ThisMachine, context

SHIM, RUNTIME, ELSEWHERE = 1695, 1786, 1790
"""Inodes of the sockets' files. The shim's was bound at another name and renamed."""
LISTED = """\
u_str ESTAB  0 0 /run/nsledger/.47da872d 201 * 200 users:(("nsledger",pid=9,fd=8)) <-> ino:1695 dev:0/25
u_str ESTAB  0 0                      * 200 * 201 users:(("kubelet",pid=7,fd=5))  <->
u_str ESTAB  0 0 /run/containerd/containerd.sock 301 * 300 users:(("containerd",pid=8,fd=8)) <-> ino:1786 dev:0/25
u_str ESTAB  0 0                      * 300 * 301 users:(("nsledger",pid=9,fd=6),("sh",pid=9,fd=6)) <->
u_str ESTAB  0 0 /run/elsewhere.sock 401 * 400 <-> ino:1790 dev:0/25
u_str LISTEN 0 0 /run/nsledger/.47da872d 500 * 0 users:(("nsledger",pid=9,fd=3)) <-> ino:1695 dev:0/25
"""  # noqa: E501 - as ss prints it


def test_the_peer_of_a_socket_is_who_connected_to_it() -> None:
    assert peers(LISTED, SHIM) == {(7, "kubelet")}
    assert peers(LISTED, RUNTIME) == {(9, "nsledger"), (9, "sh")}
    assert peers(LISTED, ELSEWHERE) == set()
    assert peers(LISTED, 169) == set()
    assert peers(LISTED, None) == set()
    assert peers("", SHIM) == set()


@pytest.mark.skipif(shutil.which("ss") is None, reason="not installed: iproute2")
def test_this_process_is_found_at_the_other_end_of_a_real_connection() -> None:
    directory = tempfile.mkdtemp(prefix="nsl-", dir="/tmp")
    path = f"{directory}/s.sock"
    # As the shim's socket, which is never seen under its name without anybody who listens.
    bound = f"{directory}/.bound"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(bound)
        server.listen()
        os.rename(bound, path)
        client.connect(path)
        accepted, _ = server.accept()
        with accepted:
            listed = subprocess.run(
                ["ss", "--unix", "--extended", "--processes", "--no-header"],
                check=True,
                capture_output=True,
                text=True,
            )
            inode = os.stat(path).st_ino
    shutil.rmtree(directory)

    own = Path("/proc/self/comm").read_text().strip()
    assert peers(listed.stdout, inode) == {(os.getpid(), own)}


def test_a_shim_that_does_not_answer_is_told_with_the_way_past_it(tmp_path: Path) -> None:
    found = installed.shim_socket(context(tmp_path, version=None))

    assert found.result is Result.FAILED
    assert "/run/nsledger/cri.sock" in found.evidence
    assert "nsledger bypass" in found.remedy
    assert installed.shim_socket(context(tmp_path)).result is Result.OK


def by_kubelet(inode: int) -> str:
    return (
        f'u_str ESTAB 0 0 /any/name 201 * 200 users:(("x",pid=9,fd=8)) <-> ino:{inode} dev:0/25\n'
        'u_str ESTAB 0 0 * 200 * 201 users:(("kubelet",pid=7,fd=5)) <->\n'
    )


@pytest.mark.parametrize(
    ("printed", "result"),
    [
        (by_kubelet(SHIM), Result.OK),
        (by_kubelet(RUNTIME), Result.FAILED),
        (by_kubelet(SHIM) + by_kubelet(RUNTIME).replace(" 20", " 30"), Result.FAILED),
        (LISTED.replace("kubelet", "crictl"), Result.FAILED),
        (f"u_str ESTAB 0 0 /any/name 201 * 200 <-> ino:{SHIM} dev:0/25\n", Result.UNKNOWN),
    ],
    ids=["behind the shim", "past it", "both", "not at all", "no processes told"],
)
def test_where_the_kubelet_is_connected_is_told(
    printed: str, result: Result, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = context(ThisMachine({"ss": printed}))
    files = {node.shim_socket: SHIM, node.runtime_socket: RUNTIME}
    monkeypatch.setattr(kubelet_process, "inode", files.get)

    assert installed.kubelet_connection(node).result is result


@pytest.mark.parametrize(
    ("active", "enabled", "result"),
    [
        ("active", "enabled", Result.OK),
        ("failed", "enabled", Result.FAILED),
        ("active", "disabled", Result.FAILED),
    ],
)
def test_a_daemon_that_is_down_or_will_not_come_back_is_told(
    active: str, enabled: str, result: Result
) -> None:
    found = installed.service(
        context(ThisMachine({"is-active": f"{active}\n", "is-enabled": f"{enabled}\n"}))
    )

    assert found.result is result
    assert active in found.evidence
    assert enabled in found.evidence


@pytest.mark.root
def test_a_spool_that_is_missing_open_to_others_or_not_emptied_is_told(tmp_path: Path) -> None:
    spool, node = tmp_path / "run/nsledger/spool", context(tmp_path)
    missing = installed.spool(node)
    spool.mkdir(parents=True, mode=0o777)
    spool.chmod(0o777)
    wide = installed.spool(node)
    spool.chmod(0o700)
    empty = installed.spool(node)
    record = spool / "1-2-c.json"
    record.touch()
    fresh = installed.spool(node)
    os.utime(record, (0, 0))
    waiting = installed.spool(node)

    assert [one.result for one in (missing, wide, waiting)] == [Result.FAILED] * 3
    assert all(one.remedy for one in (missing, wide, waiting))
    assert [one.result for one in (empty, fresh)] == [Result.OK] * 2


def test_a_ledger_that_is_missing_read_only_or_empty_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = installed.ledger(context(tmp_path))
    (tmp_path / "var/lib/nsledger/ledger").mkdir(parents=True)
    empty = installed.ledger(context(tmp_path))
    written = installed.ledger(context(tmp_path, last_record_ns=1))
    read_only_disk = SimpleNamespace(f_flag=os.ST_RDONLY)
    monkeypatch.setattr(os, "statvfs", lambda _: read_only_disk)
    read_only = installed.ledger(context(tmp_path, last_record_ns=1))

    assert [one.result for one in (missing, empty, written, read_only)] == [
        *(Result.FAILED, Result.WARNING, Result.OK, Result.FAILED)
    ]


@pytest.mark.parametrize(
    ("free_bytes", "result"), [(100 << 20, Result.FAILED), (2 << 30, Result.OK)]
)
def test_a_disk_that_will_soon_be_full_is_told(
    free_bytes: int, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(f_bavail=free_bytes >> 12, f_frsize=4096, f_blocks=100 << 18)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)

    found = installed.disk_room(context(tmp_path))

    assert found.result is result
    assert f"{free_bytes >> 20} MiB" in found.evidence


def test_a_pod_that_leaves_no_record_is_told(tmp_path: Path) -> None:
    def leaves_none(*_: object) -> None:
        raise NsledgerError("waited 10 s for the hook's record")

    def told(run_probe: Callable[[Containerd, str, str], None] | None = None) -> Result:
        node = context(tmp_path, run_probe=run_probe)
        node.__dict__["containerd"] = None
        (found,) = examine(node, only=["hook-fires"])
        return found.result

    assert told(leaves_none) is Result.FAILED
    assert told(lambda *_: None) is Result.OK
    assert told() is Result.UNKNOWN


def test_of_an_image_nothing_that_only_a_start_makes_is_missed(tmp_path: Path) -> None:
    image = context(tmp_path, runs=False)

    for check in (installed.shim_socket, installed.spool, installed.ledger):
        assert check(image).result is Result.UNKNOWN
