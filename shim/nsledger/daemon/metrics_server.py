"""Where metrics are asked for: HTTP on a Unix socket or a loopback port, on a thread of its own.

One request at a time, each with a time limit. It blocks in accept(2) and wakes for nothing else. An
address that is taken (by the daemon before this one, as it hands over) is tried again.

Source: http.server; unix(7).
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import stat
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Final

import structlog

log = structlog.get_logger(__name__)

Scrape = Callable[[], bytes]
"""The metrics in Prometheus' text format."""

_HOST_AND_PORT: Final = re.compile(r"\[?([^\]]*)\]?:(\d+)").fullmatch
_AGAIN_S: Final = 1.0
_REQUEST_LIMIT_S: Final = 5.0
_BACKLOG: Final = 16
_MODE: Final = 0o600
_CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class MetricsServer:
    """Serves `scrape` at `address` from `start` to `close`."""

    def __init__(self, address: str, scrape: Scrape) -> None:
        """`address` is an absolute path or a loopback host and port."""
        self._address = address
        self._scrape = scrape
        self._closing = threading.Event()
        self._listener: socket.socket | None = None
        self._made: tuple[int, int] | None = None
        """Device and inode of the Unix socket's file."""
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin to serve, as soon as the address is free."""
        self._thread.start()

    def close(self) -> None:
        """End, and remove the socket's file if it is still ours."""
        self._closing.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(_REQUEST_LIMIT_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listener = self._listen()
            except OSError as error:
                log.warning("metrics.address_refused", address=self._address, error=str(error))
                self._closing.wait(_AGAIN_S)
            else:
                log.info("metrics.served", address=self._address)
                self._serve(self._listener)

    def _listen(self) -> socket.socket:
        if self._address.startswith("/"):
            return self._listen_at_path()
        parts = _HOST_AND_PORT(self._address)
        if parts is None:
            raise OSError(f"{self._address}: needed a path, or a loopback host and port")
        host, port = parts[1], int(parts[2])
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)

    def _listen_at_path(self) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISSOCK(os.lstat(self._address).st_mode):
                raise FileExistsError(f"{self._address} exists and is not a socket")
            os.unlink(self._address)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            os.fchmod(listener.fileno(), _MODE)
            listener.bind(self._address)
            listener.listen(_BACKLOG)
            made = os.lstat(self._address)
        except OSError:
            listener.close()
            raise
        self._made = (made.st_dev, made.st_ino)
        return listener

    def _serve(self, listener: socket.socket) -> None:
        scrape = self._scrape

        class Handler(BaseHTTPRequestHandler):
            timeout = _REQUEST_LIMIT_S

            def do_GET(self) -> None:
                if self.path.partition("?")[0] != "/metrics":
                    self.send_error(404, "/metrics is here")
                    return
                body = scrape()
                self.send_response(200)
                self.send_header("Content-Type", _CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
                """A scrape every few seconds is nothing to log."""

            def address_string(self) -> str:
                return "local"

        with listener:
            while not self._closing.is_set():
                try:
                    accepted, _address = listener.accept()
                except OSError:
                    break
                with accepted:
                    accepted.settimeout(_REQUEST_LIMIT_S)
                    try:
                        # It reads nothing of its server, and a Unix socket's peer has no address.
                        Handler(accepted, ("", 0), None)  # type: ignore[arg-type]
                    except Exception as error:  # noqa: BLE001 - no scrape may end the next one
                        log.warning("metrics.scrape_failed", error=type(error).__name__)
        if self._made is not None:
            with contextlib.suppress(OSError):
                found = os.lstat(self._address)
                if (found.st_dev, found.st_ino) == self._made:
                    os.unlink(self._address)
