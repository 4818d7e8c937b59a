"""The control socket beside the kubelet's: where a successor asks a running shim for its sockets.

Why descriptors change hands, instead of a second socket being renamed over the first: the queue of
connections is one, so nobody is refused or lost in between; the file stays what it was, also where
it is mounted into another namespace; and the lock is never free, so a third shim still refuses.

Mode 0600, and only root or the same user is answered.

Source: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from nsledger.relay.handover_protocol import HandoverConnection

_MODE: Final = 0o600
_BACKLOG: Final = 8
_ANSWER_S: Final = 10.0
"""How long a running shim may take to answer."""


@dataclass(frozen=True, slots=True)
class Offered:
    """What a running shim offered: the descriptors belong to the receiver now."""

    connection: HandoverConnection
    pid: int
    sock: socket.socket
    lock_fd: int
    control: socket.socket
    dev: int
    ino: int

    def decline(self) -> None:
        """Give everything back: the running shim goes on as before."""
        self.sock.close()
        os.close(self.lock_fd)
        self.control.close()
        self.connection.close()


def control_path(path: str) -> str:
    """Where the shim that listens at `path` is asked for its sockets."""
    return f"{path}.control"


def open_control(path: str) -> socket.socket:
    """Listen beside `path`, in the place of whatever a dead process left there.

    For the owner of the lock of `path` only.
    """
    beside = control_path(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Linux takes the mode of a new socket file from the descriptor: it is never wider.
        os.fchmod(sock.fileno(), _MODE)
        sock.bind(beside)
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def ask_for_sockets(path: str) -> Offered | None:
    """Ask the shim that listens at `path` for its sockets; None if there is none.

    Raises:
        HandoverError: it answers something else.
        OSError: it does not answer, or refuses.
    """
    from nsledger.relay import handover_protocol  # noqa: PLC0415 - the first shim does not wait for it

    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection = handover_protocol.HandoverConnection(sock)
    try:
        try:
            sock.connect(control_path(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            return None
        connection.say(handover_protocol.TakeOver(pid=os.getpid()))
        offer = connection.hear(handover_protocol.Offer, timeout_s=_ANSWER_S)
        listening_fd, lock_fd, control_fd = handover_protocol.three(connection.descriptors)
    except BaseException:
        for descriptor in connection.descriptors:
            os.close(descriptor)
        connection.close()
        raise
    return Offered(
        connection=connection,
        pid=offer.pid,
        sock=socket.socket(fileno=listening_fd),
        lock_fd=lock_fd,
        control=socket.socket(fileno=control_fd),
        dev=offer.dev,
        ino=offer.ino,
    )
