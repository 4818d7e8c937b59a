"""The ways from the client to the runtime that are compared, each a process between two sockets.

*direct* is no process at all. nginx is the yardstick: a proxy in C that does nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench import peers, processes

_STARTING_S: Final = 10.0
_ENDING_S: Final = 15.0

DIRECT: Final = "direct"
NGINX: Final = "nginx"
NSLEDGER: Final = "nsledger"
WRITTEN: Final = "nsledger write"
"""`write_ahead = "write"`."""
SYNCED: Final = "nsledger sync"
"""`write_ahead = "sync"`."""
UNRECORDED: Final = "annotating"
"""The relay and the annotations, without a record."""

_NGINX_CONF: Final = """\
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    client_max_body_size 0;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    upstream runtime {{
        server unix:{upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen unix:{listen} http2;
        location / {{ grpc_pass grpc://runtime; grpc_read_timeout 1h; }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class Route:
    """One way, ready to be called."""

    name: str
    socket: str
    pid: int | None
    """Of the process in between; None if there is none."""

    def cpu_s(self) -> float:
        """CPU seconds so far of what is in between."""
        return 0.0 if self.pid is None else processes.cpu_s(self.pid)


@dataclass(frozen=True, slots=True)
class Place:
    """Where one run has its sockets, as a node has them in /run, and its ledgers."""

    directory: Path
    """On a tmpfs."""
    disk: Path

    @property
    def upstream(self) -> str:
        """Where the runtime listens."""
        return str(self.directory / "runtime.sock")

    def socket(self, name: str) -> str:
        """Where the route of that name listens."""
        return str(self.directory / f"{name.replace(' ', '-')}.sock")

    def nginx(self, name: str) -> list[str]:
        """The command that is nginx as a proxy; writes its configuration."""
        own = self.directory / name
        own.mkdir()
        configuration = own / "nginx.conf"
        configuration.write_text(
            _NGINX_CONF.format(
                directory=own,
                upstream=self.upstream,
                listen=self.socket(name),
                # Its worker gives root up otherwise, and could not connect to the runtime.
                user="user root;" if os.geteuid() == 0 else "",
            )
        )
        return [peers.nginx(), "-c", str(configuration), "-e", str(own / "nginx.log")]

    def nsledger(self, name: str, *options: str) -> list[str]:
        """The command that is nsledger as it is installed, in front of the runtime."""
        own = self.disk / name.replace(" ", "-")
        return [
            str(Path(sys.executable).with_name("nsledger")),
            *("serve", "--listen", self.socket(name), "--upstream", self.upstream),
            *("--ledger", f"{own}.ledger", "--spool", f"{own}.spool"),
            *("--log-level", "error", *options),
        ]

    def annotating(self, name: str) -> list[str]:
        """The command that is the relay with its annotations only."""
        module = "tests.bench.annotating_relay"
        return [sys.executable, "-m", module, self.socket(name), self.upstream]


@contextmanager
def opened(program: Path, answers: Path, place: Place) -> Iterator[dict[str, Route]]:
    """The runtime, and every route to it."""
    with ExitStack() as running:
        backend = [str(program), "backend", place.upstream, str(answers)]
        running.enter_context(_running(backend, place.upstream))
        commands: dict[str, Sequence[str]] = {
            NGINX: place.nginx(NGINX),
            NSLEDGER: place.nsledger(NSLEDGER),
            WRITTEN: place.nsledger(WRITTEN, "--write-ahead", "write"),
            SYNCED: place.nsledger(SYNCED, "--write-ahead", "sync"),
            UNRECORDED: place.annotating(UNRECORDED),
        }
        routes = {DIRECT: Route(DIRECT, place.upstream, None)}
        for name, command in commands.items():
            pid = running.enter_context(_running(command, place.socket(name)))
            routes[name] = Route(name, place.socket(name), pid)
        yield routes


@contextmanager
def _running(command: Sequence[str], socket: str) -> Iterator[int]:
    """A program from the moment it listens until it is told to end; its pid."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + _STARTING_S
        while not Path(socket).exists():
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise peers.PeerMissingError(f"it does not listen: {' '.join(command)}")
            time.sleep(0.01)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
