from __future__ import annotations

import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.relay.control import ask_for_sockets, control_path, open_control
from nsledger.relay.handover_protocol import HandoverConnection, HandoverError, Offer, TakeOver


@pytest.fixture
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory:
        yield Path(directory)


def answering(control: socket.socket, descriptors: list[int]) -> threading.Thread:
    def answer() -> None:
        accepted, _ = control.accept()
        connection = HandoverConnection(accepted)
        connection.hear(TakeOver, timeout_s=5)
        connection.say(Offer(pid=42, dev=1, ino=2), descriptors)
        connection.close()

    thread = threading.Thread(target=answer)
    thread.start()
    return thread


def test_the_control_socket_is_the_owners_alone_from_the_first_moment(room: Path) -> None:
    path = str(room / "cri.sock")
    with open_control(path):
        assert stat.S_IMODE(os.stat(control_path(path)).st_mode) == 0o600


def test_what_a_dead_process_left_is_replaced(room: Path) -> None:
    path = str(room / "cri.sock")
    open_control(path).close()

    with open_control(path):
        assert os.path.exists(control_path(path))


def test_nobody_there_is_no_error(room: Path) -> None:
    path = str(room / "cri.sock")
    assert ask_for_sockets(path) is None

    open_control(path).close()
    assert ask_for_sockets(path) is None


def test_what_is_offered_is_the_sockets_and_the_lock(room: Path) -> None:
    path = str(room / "cri.sock")
    with socket.socket(socket.AF_UNIX) as listener, open_control(path) as control:
        listener.bind(path)
        lock_fd = os.open(room / "lock", os.O_RDWR | os.O_CREAT)
        thread = answering(control, [listener.fileno(), lock_fd, control.fileno()])

        offered = ask_for_sockets(path)

        thread.join()
        assert offered is not None
        assert offered.pid == 42
        assert offered.sock.getsockname() == path
        assert os.path.sameopenfile(offered.lock_fd, lock_fd)
        assert offered.control.getsockname() == control_path(path)
        offered.decline()
        os.close(lock_fd)


def test_too_few_descriptors_are_no_offer_and_are_closed(room: Path) -> None:
    path = str(room / "cri.sock")
    with open_control(path) as control:
        thread = answering(control, [control.fileno()])
        before = len(os.listdir("/proc/self/fd"))

        with pytest.raises(HandoverError, match="1 descriptors; needed 3"):
            ask_for_sockets(path)

        thread.join()
        assert len(os.listdir("/proc/self/fd")) == before
