"""Who is connected to a socket, as `ss` tells it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from nsledger.node.doctor.installation import peers

LISTED = """\
u_str ESTAB  0 0 /run/nsledger/cri.sock 201 * 200 users:(("nsledger",pid=9,fd=8))
u_str ESTAB  0 0                      * 200 * 201 users:(("kubelet",pid=7,fd=5))
u_str ESTAB  0 0 /run/containerd/containerd.sock 301 * 300 users:(("containerd",pid=8,fd=8))
u_str ESTAB  0 0                      * 300 * 301 users:(("nsledger",pid=9,fd=6),("sh",pid=9,fd=6))
u_str ESTAB  0 0 /run/elsewhere.sock 401 * 400
u_str LISTEN 0 0 /run/nsledger/cri.sock 500 * 0 users:(("nsledger",pid=9,fd=3))
"""


def test_the_peer_of_a_socket_is_who_connected_to_it() -> None:
    assert peers(LISTED, "/run/nsledger/cri.sock") == {"kubelet"}
    assert peers(LISTED, "/run/containerd/containerd.sock") == {"nsledger", "sh"}
    assert peers(LISTED, "/run/elsewhere.sock") == set()
    assert peers("", "/run/nsledger/cri.sock") == set()


@pytest.mark.skipif(shutil.which("ss") is None, reason="not installed: iproute2")
def test_this_process_is_found_at_the_other_end_of_a_real_connection() -> None:
    directory = tempfile.mkdtemp(prefix="nsl-", dir="/tmp")
    path = f"{directory}/s.sock"
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)
        accepted, _ = server.accept()
        with accepted:
            listed = subprocess.run(
                ["ss", "--unix", "--processes", "--no-header"],
                check=True,
                capture_output=True,
                text=True,
            )
    shutil.rmtree(directory)

    own = Path("/proc/self/comm").read_text().strip()
    assert peers(listed.stdout, path) == {own}
