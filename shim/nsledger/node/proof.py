"""Showing on a running node that each part of an installation does what it should."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from nsledger.cri.client import RuntimeCallError, RuntimeClient
from nsledger.cri.probe import K8S_NAMESPACE, ProbeClient, ProbePod, run_probe
from nsledger.errors import NsledgerError
from nsledger.ledger.reader import entries_backwards
from nsledger.model.events import ContainerRequested, ContainerStarted, ContainerWitnessed
from nsledger.model.record import decode
from nsledger.node import base_specs
from nsledger.node.changes import Part
from nsledger.node.containerd import Configuration
from nsledger.node.host import Host
from nsledger.node.settings import SOCKET, Settings
from nsledger.node.survey import Survey, effective_configuration
from nsledger.node.verification import require_our_keys_only

_START_LIMIT_S: Final = 30.0
_RECORD_LIMIT_S: Final = 10.0
_CALL_LIMIT_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.1


class NotProvedError(NsledgerError):
    """Something that has to be seen after a step was not."""

    def __init__(self, *, wanted: str, limit_s: float) -> None:
        super().__init__(f"waited {limit_s:g} s for {wanted}")
        self.wanted = wanted


class NodeProof:
    """The proof of each part, as far as the node runs."""

    def __init__(
        self,
        host: Host,
        found: Survey,
        containerd: str,
        configuration: str,
        *,
        probe: bool,
        say: Callable[[str], None],
    ) -> None:
        self._host = host
        self._found = found
        self._containerd = containerd
        self._configuration = configuration
        self._probe = probe
        self._say = say

    def written(self, part: Part) -> None:
        """Before a restart: containerd reads the new files, and only our keys are different.

        Raises:
            EffectiveConfigurationError: it reads them otherwise.
        """
        if part is not Part.CONTAINERD or self._found.containerd is None:
            return
        after = effective_configuration(self._host, self._containerd, self._configuration)
        specs = {name: base_specs.path_for(source) for name, source in self._found.spec_of.items()}
        require_our_keys_only(self._found.dump, after, specs)
        self._say(f"containerd's effective configuration has our keys in {', '.join(specs)}")

    def done(self, part: Part) -> None:
        """After a restart: who was restarted answers, and a pod leaves its records.

        Raises:
            NotProvedError: it does not.
            RuntimeCallError: the throw-away pod could not be run.
        """
        if not self._found.systemd_runs:
            return
        if part is Part.SHIM:
            self._wait_for_answer(SOCKET, "an answer through the shim")
        elif part is Part.CONTAINERD and self._found.containerd is not None:
            socket = self._found.containerd.configuration.socket
            self._wait_for_answer(socket, "containerd's answer after its restart")
            if self._probe and self._host.exists(SOCKET):
                self._wait_for_answer(SOCKET, "containerd's answer through the shim")
                self._run_pod()

    def _run_pod(self) -> None:
        if self._found.containerd is None:
            return
        ledger = self._host.outside(Settings.of(self._host).ledger)
        require_records_of_a_pod(self._found.containerd.configuration, socket=SOCKET, ledger=ledger)
        self._say("a throw-away pod ran through the shim; hook and shim have it on record")

    def _wait_for_answer(self, socket: str, wanted: str) -> None:
        def answers() -> bool:
            try:
                with RuntimeClient(socket, timeout_s=_CALL_LIMIT_S) as client:
                    client.version()
            except RuntimeCallError:
                return False
            return True

        wait_for(answers, wanted=wanted, limit_s=_START_LIMIT_S)


def require_records_of_a_pod(configuration: Configuration, *, socket: str, ledger: str) -> None:
    """Nothing, if a throw-away pod through `socket` leaves the hook's and the shim's records.

    Raises:
        NotProvedError: it does not.
        RuntimeCallError: the pod could not be run.
    """
    pod = ProbePod(
        image=configuration.sandbox_image,
        cgroup_parent="system.slice" if configuration.has_systemd_cgroup else "/",
    )

    def look(container_id: str) -> None:
        wait_for(
            lambda: _is_on_record(ledger, container_id),
            wanted="the hook's and the shim's record of a throw-away pod",
            limit_s=_RECORD_LIMIT_S,
        )

    with ProbeClient(socket, timeout_s=_CALL_LIMIT_S) as client:
        run_probe(client, pod, while_it_runs=look)


def _is_on_record(ledger: str, container_id: str) -> bool:
    """Whether both witnesses have seen the container start."""
    seen: set[type] = set()
    for entry in entries_backwards(ledger):
        event = decode(entry.line).event
        if isinstance(event, ContainerStarted | ContainerWitnessed):
            container = event.container
            if container.container_id == container_id:
                seen.add(type(event))
        elif isinstance(event, ContainerRequested) and event.pod.k8s_namespace == K8S_NAMESPACE:
            break
    return seen == {ContainerStarted, ContainerWitnessed}


def wait_for(reached: Callable[[], bool], *, wanted: str, limit_s: float) -> None:
    """Wait until `reached`.

    Raises:
        NotProvedError: it was not within the limit.
    """
    deadline = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > deadline:
            raise NotProvedError(wanted=wanted, limit_s=limit_s)
        time.sleep(_LOOK_AGAIN_S)
