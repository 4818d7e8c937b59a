"""What the checks look at: the node, each part of it read once, when the first check asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from nsledger.errors import NsledgerError
from nsledger.node import crio, kubelet
from nsledger.node import manifest as manifests
from nsledger.node.containerd_plan import Containerd
from nsledger.node.crio import Crio
from nsledger.node.doctor.outcome import NotContainerdError
from nsledger.node.kubelet import Kubelet
from nsledger.node.located import CONTAINERD, Located, located
from nsledger.node.manifest import Manifest
from nsledger.node.root import Host
from nsledger.node.settings import ENDPOINT, Settings
from nsledger.node.survey import known_specs, look_at_containerd, runtime_endpoint


@dataclass(frozen=True, slots=True)
class Asking:
    """The questions that go over a socket: their answers come from another layer."""

    runtime_version: Callable[[str], tuple[str, str]]
    """Name and version of who answers at a socket; an NsledgerError if nobody does."""
    last_record_ns: Callable[[str], int | None]
    """Unix time of a ledger's last record; None if it has none."""
    run_probe: Callable[[Containerd, str, str], None] | None
    """Runs a throw-away pod through a socket and looks for its records in a ledger; raises if
    they do not come. None if no pod may be started."""


class CheckContext:
    """One look at a node."""

    def __init__(self, host: Host, asking: Asking, *, program: str, main: str) -> None:
        self.host = host
        self.asking = asking
        self._program, self._main = program, main

    @cached_property
    def is_crio(self) -> bool:
        """Whether the kubelet's runtime is CRI-O."""
        return self.runtime.is_crio

    @cached_property
    def runtime(self) -> Located:
        """Which runtime the kubelet uses, and by which file."""
        told: Kubelet | NsledgerError
        try:
            told = kubelet.read(self.host, endpoint=ENDPOINT)
        except NsledgerError as error:
            told = error
        kept = self.manifest
        return located(
            self.host,
            program=self._program or (kept.containerd_program if kept else "") or CONTAINERD,
            main=self._main or (kept.containerd_main if kept else ""),
            endpoint=runtime_endpoint(self.host, told),
        )

    @cached_property
    def crio(self) -> Crio:
        """CRI-O's configuration."""
        return crio.look(self.host)

    @property
    def runs(self) -> bool:
        """Whether there is a kernel under the node: an image has none."""
        return self.host.is_this_machine or self.host.exists("/proc/self/status")

    @cached_property
    def containerd(self) -> Containerd:
        """What is in force; raises what `look_at_containerd` raises, and NotContainerdError."""
        if self.is_crio:
            raise NotContainerdError
        return look_at_containerd(self.host, self.runtime.program, self.runtime.main)[0]

    @property
    def program(self) -> str:
        """containerd, by path or name."""
        return self.runtime.program

    @cached_property
    def manifest(self) -> Manifest | None:
        """What was installed."""
        return manifests.load(self.host)

    @cached_property
    def our_specs(self) -> dict[str, str]:
        """Our base specs, and what each was made from."""
        return known_specs(self.host, self.manifest)

    @cached_property
    def settings(self) -> Settings:
        """The daemon's paths."""
        return Settings.of(self.host)

    @property
    def shim_socket(self) -> str:
        """Where the kubelet is to call."""
        return self.settings.listen

    @property
    def ledger(self) -> str:
        """The ledger's directory."""
        return self.settings.ledger

    @property
    def spool(self) -> str:
        """Where the hook leaves its records."""
        return self.settings.spool

    @cached_property
    def runtime_socket(self) -> str:
        """Where the runtime listens."""
        if self.settings.names_upstream:
            return self.settings.upstream
        if self.is_crio:
            return self.crio.socket
        if not self.host.exists(self.runtime.main):
            return self.settings.upstream
        return self.containerd.configuration.socket
