"""The machine as a node: its pods, its configuration, and what nsledger has on record of it."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec

from nsledger.model.record import Record, decode
from nsledger.node.effective_change import flat
from tests.vm.machine import Machine

E = TypeVar("E")

CONTAINERD: Final = "/run/containerd/containerd.sock"
SHIM: Final = "/run/nsledger/cri.sock"
LEDGER: Final = "/var/lib/nsledger/ledger"
_BROUGHT: Final = "/opt/brought"
_ADMINS: Final = "# an emulated processor is slow\nhold_limit_s = 10.0\nstatus_timeout_s = 20.0\n"
"""nsledger.toml, which the admin wrote before nsledger was installed."""


class Kubelet(msgspec.Struct, frozen=True):
    """What the stand-in for the kubelet says of itself."""

    endpoint: str
    pid: int
    calls: int
    failed: int
    last: str = ""
    """When, which and how: of the last that failed."""


class Container(msgspec.Struct, frozen=True):
    """A container that runs, as /proc has it."""

    id: str
    namespaces: dict[str, int]
    cgroup_inside: str


class RunningPod(msgspec.Struct, frozen=True):
    """A pod that runs, as /proc has it."""

    pod_sandbox_id: str
    namespaces: dict[str, int]
    containers: dict[str, Container]


@dataclass
class Node:
    """The machine with what was seen of it before nsledger came."""

    machine: Machine
    version: str
    """Of the package under test."""
    next_version: str
    """Of the one that it is upgraded to."""
    configuration_before: str = ""
    effective_before: dict[str, object] = field(default_factory=dict[str, object])
    limits_before: list[str] = field(default_factory=list[str])

    def prepare(self) -> None:
        """Give it containerd, images and a kubelet's stand-in, and look at all of it."""
        self.machine.run("sh", f"{_BROUGHT}/prepare")
        self.machine.run("mkdir", "/etc/nsledger")
        self.machine.run("tee", "/etc/nsledger/nsledger.toml", given=_ADMINS)
        self.machine.wait_for("the kubelet's calls", lambda: self.kubelet().calls > 0)
        self.configuration_before = self.configuration()
        self.effective_before = self.effective()
        self.limits_before = self.limits(CONTAINERD)

    def install_package(self, name: str) -> str:
        """Install `current` or `next`; what dpkg says."""
        install = f"dpkg --install {_BROUGHT}/{name}.deb 2>&1"
        return self.machine.run("sh", "-c", install, limit_s=300)

    def install(self) -> None:
        """Put nsledger on the node."""
        self.machine.run("nsledger", "install", limit_s=300)

    def ask(self, *command: str) -> str:
        """What `nsledger COMMAND` prints."""
        return self.machine.run("nsledger", *command)

    def systemd(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit."""
        asked = [f"--property={one}" for one in properties]
        lines = self.machine.run("systemctl", "show", unit, *asked).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def daemon_pid(self) -> int:
        """The main process of nsledger.service, by systemd's account; 0 if there is none."""
        return int(self.systemd("nsledger.service", "MainPID")["MainPID"])

    def wait_for_another_daemon(self, before: int, *, limit_s: float) -> float:
        """Wait until a process other than `before` serves; the seconds that it took."""

        def serves() -> bool:
            found = self.systemd("nsledger.service", "MainPID", "SubState")
            return found["MainPID"] not in ("0", str(before)) and found["SubState"] == "running"

        took = self.machine.wait_for("another daemon", serves, limit_s=limit_s)
        self.wait_for_answered_calls()
        return took

    def kubelet(self) -> Kubelet:
        """What the kubelet's stand-in says of itself."""
        said = self.machine.attempt("cat", "/run/kubelet.json").stdout
        return msgspec.json.decode(said, type=Kubelet) if said else Kubelet("", 0, 0, 0)

    def wait_for_answered_calls(self) -> None:
        """Wait until the kubelet's stand-in has had answers to calls that it makes from now on."""
        before = self.kubelet()

        def answered() -> bool:
            nonlocal before
            now = self.kubelet()
            if (now.pid, now.failed) != (before.pid, before.failed):
                before = now
            return now.calls > before.calls + 6

        self.machine.wait_for("answers to the kubelet's calls", answered)

    def started(self) -> dict[str, float]:
        """The containers whose start the load's kubelet was told of, with the machine's time."""
        text = self.machine.started.read_text() if self.machine.started.exists() else ""
        whole = text.rpartition("\n")[0].splitlines()
        return {line.split()[0]: float(line.split()[1]) for line in whole}

    def configuration(self) -> str:
        """Every file and link of the node's configuration, with mode, owner and hash."""
        places = "/etc /var/lib/kubelet -xdev"
        ours = "-path /etc/nsledger -prune -o -name '.pwd.lock' -prune -o -name resolv.conf -prune"
        find = f"find {places} {ours} -o"
        return self.machine.run(
            "sh",
            "-c",
            f"{find} -printf '%p %m %u %g %l\\n' | sort; "
            f"{find} -type f -exec sha256sum {{}} + | sort -k 2",
        )

    def effective(self) -> dict[str, object]:
        """What `containerd config dump` says, flat."""
        return dict(flat(tomllib.loads(self.machine.run("containerd", "config", "dump"))))

    def limits(self, socket: str) -> list[str]:
        """What a container sees of its limits, privileges and mounts."""
        found: list[str] = json.loads(self._workload(socket, "limits"))
        return found

    def run_pods(self, *pods: dict[str, Any], socket: str = SHIM) -> dict[str, RunningPod]:
        """Start each of `pods`, by their names."""
        started = self._workload(socket, "run", json.dumps(pods))
        return msgspec.json.decode(started, type=dict[str, RunningPod])

    def remove_pods(self, socket: str = SHIM) -> None:
        """Stop and remove all pods of the node."""
        self._workload(socket, "remove")

    def records(self) -> list[Record]:
        """The ledger, from its segments that are not compressed."""
        lines = self.machine.run("sh", "-c", f"cat {LEDGER}/*.jsonl")
        return [decode(line.encode()) for line in lines.splitlines(keepends=True)]

    def events(self, kind: type[E]) -> list[E]:
        """The ledger's events of one kind."""
        return [record.event for record in self.records() if isinstance(record.event, kind)]

    def _workload(self, socket: str, *words: str) -> str:
        program = ("python3", "-I", f"{_BROUGHT}/workload.py", socket)
        return self.machine.run(*program, *words, limit_s=300)
