"""Who is connected to a socket, as `ss` tells it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from nsledger.node.doctor.installation import peers

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
    assert peers(LISTED, SHIM) == {"kubelet"}
    assert peers(LISTED, RUNTIME) == {"nsledger", "sh"}
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
    assert peers(listed.stdout, inode) == {own}
