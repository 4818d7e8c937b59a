"""`nsledger serve` as processes of their own, in front of a runtime, with a ledger."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import RUNTIME_SERVICE
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.reader import entries
from nsledger.model.record import Record, decode
from tests.integration.fake_runtime import FakeRuntime, Script
from tests.programs import SHIM

VERSION = RUNTIME_SERVICE + "Version"
RUN_POD_SANDBOX = RUNTIME_SERVICE + "RunPodSandbox"
CREATE_CONTAINER = RUNTIME_SERVICE + "CreateContainer"
EVENTS = RUNTIME_SERVICE + "GetContainerEvents"

_LIMIT_S = 30.0


class Daemon:
    """Where the daemons of one directory, one after another, have their things."""

    def __init__(self, directory: str | Path, upstream: str, **told: object) -> None:
        """`told` are keys of the configuration."""
        self.directory = Path(directory)
        self.socket = str(self.directory / "cri.sock")
        self.ledger = self.directory / "ledger"
        self.log = self.directory / "serve.log"
        self.told = {
            "listen": self.socket,
            "upstream": upstream,
            "ledger": str(self.ledger),
            "spool": str(self.directory / "spool"),
            "log_format": "json",
            **told,
        }
        self.running: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @contextlib.contextmanager
    def stopped_at_the_end(self) -> Iterator[None]:
        """For one that is spawned in the block, and perhaps never gets to record."""
        try:
            yield
        finally:
            self._end()

    def _end(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()

    @property
    def pid(self) -> int:
        """Of the daemon that was started last."""
        return self.running[-1].pid

    def spawn(
        self, *flags: str, wrapper: Sequence[str] = (), **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start a daemon and do not wait for anything."""
        options = [
            word
            for key, value in self.told.items()
            for word in (f"--{key.replace('_', '-')}", str(value))
        ]
        command = [sys.executable, "-m", "nsledger.cli.main", "serve", *options, *flags]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [*wrapper, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SHIM), **environment},
            )
        self.running.append(process)
        return process

    def start(self, *flags: str, wrapper: Sequence[str] = (), **environment: str) -> None:
        """Start a daemon, and wait until it listens, and records."""
        said = self._said("daemon.started")
        process = self.spawn(*flags, wrapper=wrapper, **environment)
        self.wait_for("listening", lambda: listens(self.socket), process)
        self.wait_for("recording", lambda: self._said("daemon.started") > said, process)

    def take_over(self) -> subprocess.Popen[bytes]:
        """Start a daemon that takes over, and wait until it serves; returns the one before."""
        before = self.running[-1]
        said = self._said("daemon.started")
        process = self.spawn("--take-over")
        self.wait_for("serving", lambda: self._said("daemon.started") > said, process)
        return before

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        process = self.running[-1]
        process.send_signal(signal.SIGTERM)
        return process.wait(_LIMIT_S)

    def kill(self) -> None:
        """SIGKILL."""
        process = self.running[-1]
        process.kill()
        process.wait()

    def records(self) -> list[Record]:
        """What the ledger says by now."""
        if not self.ledger.exists():
            return []
        try:
            return [decode(entry.line) for entry in entries(str(self.ledger))]
        except LedgerError:
            return []

    def wait_for(
        self,
        wanted: str,
        reached: Callable[[], bool],
        process: subprocess.Popen[bytes] | None = None,
        limit_s: float = _LIMIT_S,
    ) -> None:
        """Until `reached`, as long as `process` lives."""
        deadline_s = time.monotonic() + limit_s
        while not reached():
            ended = process is not None and process.poll() is not None
            if ended or time.monotonic() > deadline_s:
                log = self.log.read_text(errors="replace").splitlines()[-15:]
                raise AssertionError("\n".join([f"it did not get to {wanted}:", *log]))
            time.sleep(0.005)

    def _said(self, event: str) -> int:
        if not self.log.exists():
            return 0
        return self.log.read_text(errors="replace").count(f'"event": "{event}"')


def listens(path: str) -> bool:
    """Whether somebody accepts there."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def run_pod_sandbox(name: str) -> bytes:
    """A request for a pod."""
    request = pb.RunPodSandboxRequest()
    request.config.metadata.name = name
    request.config.metadata.namespace = "shop"
    request.config.metadata.uid = f"uid-{name}"
    return request.SerializeToString()


def create_container(name: str, pod_sandbox_id: str = "s1") -> bytes:
    """A request for a container of that name."""
    request = pb.CreateContainerRequest(pod_sandbox_id=pod_sandbox_id)
    request.config.metadata.name = name
    request.config.image.image = "app:1"
    request.sandbox_config.metadata.name = "cart"
    request.sandbox_config.metadata.namespace = "shop"
    return request.SerializeToString()


@contextlib.contextmanager
def cri_runtime(path: str) -> Iterator[FakeRuntime]:
    """A fake runtime that answers what the shim looks into as CRI says."""
    with FakeRuntime(path) as runtime:
        answers = {
            "RunPodSandbox": pb.RunPodSandboxResponse(pod_sandbox_id="s1"),
            "CreateContainer": pb.CreateContainerResponse(container_id="c1"),
            "PodSandboxStatus": pb.PodSandboxStatusResponse(),
            "ContainerStatus": pb.ContainerStatusResponse(),
            "ListPodSandbox": pb.ListPodSandboxResponse(),
            "ListContainers": pb.ListContainersResponse(),
        }
        for method, answer in answers.items():
            runtime.scripts[RUNTIME_SERVICE + method] = Script([answer.SerializeToString()])
        yield runtime
