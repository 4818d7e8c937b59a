"""Showing on a running node that each part does what it should, or let go of what it should.

The evidence does not come from the code that planned the change: containerd's own account, an
answer at a socket, the sockets that the kernel lists, records in the ledger. What cannot be shown
(an image, `--no-probe`, no `ss`) is kept as `not_proved` and said in the last line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from nsledger.cri.client import RuntimeCallError, RuntimeClient
from nsledger.cri.probe import K8S_NAMESPACE, ProbeClient, ProbePod, run_probe
from nsledger.cri.status import ContainerState
from nsledger.errors import NsledgerError
from nsledger.ledger.reader import entries_backwards
from nsledger.model.events import ContainerRequested, ContainerStarted, ContainerWitnessed
from nsledger.model.record import decode
from nsledger.node import base_specs, kubelet_process, named
from nsledger.node.changes import Part
from nsledger.node.containerd import Configuration
from nsledger.node.containerd_files import loaded
from nsledger.node.effective_change import require_our_keys_only, require_our_keys_taken
from nsledger.node.located import SYSTEMD_RUNS
from nsledger.node.planning import runtime_socket
from nsledger.node.removal import Taken
from nsledger.node.root import Host
from nsledger.node.settings import SOCKET, Settings
from nsledger.node.survey import Survey, effective_configuration

_START_LIMIT_S: Final = 30.0
_RECORD_LIMIT_S: Final = 10.0
_CALL_LIMIT_S: Final = 30.0
_KUBELET_LIMIT_S: Final = 60.0
_CREATED_LIMIT_S: Final = 10.0
_LOOK_AGAIN_S: Final = 0.1
_IMAGE: Final = "an image does not run"
_NO_SYSTEMD: Final = "systemd does not run here: nothing was restarted"


class NotProvedError(NsledgerError):
    """Something that has to be seen after a step was not."""

    def __init__(self, *, wanted: str, limit_s: float, hint: str = "") -> None:
        super().__init__(f"waited {limit_s:g} s for {wanted}")
        self.hint = hint
        self.wanted = wanted


@dataclass(slots=True)
class Evidence:
    """What was seen of each part, and what was not."""

    proved: list[tuple[Part, str]] = field(default_factory=list[tuple[Part, str]])
    not_proved: list[tuple[Part, str]] = field(default_factory=list[tuple[Part, str]])


class NodeProof:
    """The proof of each part, as far as the node runs."""

    def __init__(
        self, host: Host, found: Survey, *, probe: bool, say: Callable[[str], None]
    ) -> None:
        self._host = host
        self._found = found
        self._probe = probe
        self._say = say
        self.evidence = Evidence()
        self._kubelet_ran = found.systemd_runs and kubelet_process.is_active(host)

    def written(self, part: Part) -> None:
        """Before a restart: containerd reads the new files, and only our keys are different.

        Raises:
            EffectiveConfigurationError: it reads them otherwise.
        """
        if part is not Part.CONTAINERD or self._found.containerd is None:
            return
        runtime = self._found.runtime
        after = effective_configuration(self._host, runtime.program, runtime.main)
        specs = {name: base_specs.path_for(source) for name, source in self._found.spec_of.items()}
        places = {
            one.name: one.place for one in self._found.containerd.configuration.handlers.values()
        }
        require_our_keys_only(self._found.dump, after, specs, places)
        self._say(f"containerd's effective configuration has our keys in {', '.join(specs)}")

    def done(self, part: Part) -> None:
        """After a restart: who was restarted answers, and a pod leaves its records.

        Raises:
            NotProvedError: it does not.
            RuntimeCallError: the throw-away pod could not be run.
        """
        if not self._found.systemd_runs:
            why = _IMAGE if not self._host.is_this_machine else _NO_SYSTEMD
            self._is_not_proved(part, why)
            return
        match part:
            case Part.HOOK:
                pass  # the pods of the runtime's part show it
            case Part.SHIM:
                self._wait_for_answer(SOCKET, "an answer through the shim")
                self._is_proved(part, f"the runtime answers through {SOCKET}")
            case Part.CONTAINERD:
                self._runtime()
            case Part.KUBELET:
                self._kubelet()

    def _runtime(self) -> None:
        socket = runtime_socket(self._found)
        name = "CRI-O" if self._found.runtime.is_crio else "containerd"
        self._wait_for_answer(socket, f"{name}'s answer after its restart")
        if not self._probe:
            self._is_not_proved(Part.CONTAINERD, "that the hook fires (--no-probe)")
            return
        if not self._host.exists(SOCKET):
            self._is_not_proved(Part.CONTAINERD, "that the hook fires: the shim is not installed")
            return
        self._wait_for_answer(SOCKET, f"{name}'s answer through the shim")
        containerd = self._found.containerd
        if containerd is None:
            self._is_not_proved(
                Part.CONTAINERD, "that the hook fires: CRI-O's pause image is not known"
            )
            return
        configuration = containerd.configuration
        default = configuration.default_handler
        names = [one.name for one in containerd.handlers]
        for handler in sorted(names, key=lambda one: one != default):
            try:
                self._run_pod(configuration, "" if handler == default else handler)
            except RuntimeCallError as error:
                if handler == default:
                    raise
                # Such as nvidia's on a node without its program: no pod of it can start anyway.
                self._is_not_proved(
                    Part.CONTAINERD, f"handler {handler}: no pod of it starts ({error})"
                )
                continue
            self._is_proved(Part.CONTAINERD, f"the hook fires in the handler {handler}")

    def _run_pod(self, configuration: Configuration, handler: str) -> None:
        ledger = self._host.outside(Settings.of(self._host).ledger)
        require_records_of_a_pod(configuration, socket=SOCKET, ledger=ledger, handler=handler)
        named_handler = f" with the handler {handler}" if handler else ""
        self._say(
            f"a throw-away pod{named_handler} ran through the shim; hook and shim have it on record"
        )

    def _kubelet(self) -> None:
        what = f"the kubelet is connected to {SOCKET}"
        if not self._kubelet_ran:
            # Such as one before `kubeadm join`: it has no configuration yet, and ends at once.
            self._is_not_proved(Part.KUBELET, f"whether {what}: it did not run before either")
            return
        seen = kubelet_is_connected(self._host, SOCKET)
        if seen:
            self._is_proved(Part.KUBELET, what)
        else:
            self._is_not_proved(Part.KUBELET, f"whether {what}: ss does not tell")

    def _is_proved(self, part: Part, what: str) -> None:
        self.evidence.proved.append((part, what))

    def _is_not_proved(self, part: Part, what: str) -> None:
        self.evidence.not_proved.append((part, what))

    def _wait_for_answer(self, socket: str, wanted: str) -> None:
        wait_for(lambda: answers(socket), wanted=wanted, limit_s=_START_LIMIT_S)


class NodeRelease:
    """Shows that the kubelet and the runtime let go of nsledger; see `removal.Release`."""

    def __init__(self, host: Host, taken: Taken, *, say: Callable[[str], None]) -> None:
        self._host, self._taken, self._say = host, taken, say
        self._runs = host.is_this_machine and host.exists(SYSTEMD_RUNS)
        self.evidence = Evidence()

    def written(self, part: Part) -> None:
        """Nothing in force names a file of ours, and only our keys are different.

        Raises:
            StillNamedError: something does.
            EffectiveConfigurationError: something else changed.
            RuntimeRefusedError: containerd does not read the files.
        """
        taken = self._taken
        if part is not Part.CONTAINERD or taken.runtime.is_crio:
            return
        files = loaded(self._host.resolve(taken.runtime.main), self._host.read, self._host.names)
        if not taken.dump:
            self.evidence.not_proved.append((part, "there is no containerd to ask"))
            return
        after = effective_configuration(self._host, taken.runtime.program, taken.runtime.main)
        named.require_not_in_force(self._host, after, files, taken.ours)
        require_our_keys_taken(taken.dump, after, taken.ours)
        self._say("containerd's effective configuration names nothing of nsledger")
        self.evidence.proved.append((part, "its effective configuration names nothing of nsledger"))

    def done(self, part: Part) -> None:
        """Who was restarted works without us.

        Raises:
            NotProvedError: it does not.
        """
        if not self._runs:
            self.evidence.not_proved.append((part, _IMAGE))
            return
        if self._taken.kept.part(part) is None and not self._taken.files.get(part):
            return
        socket = Settings.of(self._host).upstream
        if part is Part.CONTAINERD:
            name = self._taken.runtime.service
            wait_for(
                lambda: answers(socket),
                wanted=f"{name}'s answer at {socket} after its restart",
                limit_s=_START_LIMIT_S,
            )
            self.evidence.proved.append((part, f"{name} answers after its restart"))
        elif part is Part.KUBELET:
            if kubelet_is_connected(self._host, socket):
                self.evidence.proved.append((part, f"the kubelet is connected to {socket}"))
            else:
                self.evidence.not_proved.append((part, "whether the kubelet is connected: no ss"))

    def started_containers_need_hook(self) -> bool:
        """Whether a container that was created with our hook has not started within 10 s.

        The hook runs at the start of a container and never again: running ones do not need it.
        """
        if not self._runs:
            return False
        deadline = time.monotonic() + _CREATED_LIMIT_S
        while _has_created(Settings.of(self._host).upstream):
            if time.monotonic() > deadline:
                return True
            time.sleep(_LOOK_AGAIN_S)
        return False


def answers(socket: str) -> bool:
    """Whether a runtime answers at `socket`."""
    try:
        with RuntimeClient(socket, timeout_s=_CALL_LIMIT_S) as client:
            client.version()
    except RuntimeCallError:
        return False
    return True


def kubelet_is_connected(host: Host, socket: str) -> bool:
    """True when the kubelet that systemd runs is connected to `socket`; False if none can tell.

    Raises:
        NotProvedError: it is not, for a minute.
    """

    def connected() -> bool | None:
        listed = kubelet_process.connections(host)
        main = kubelet_process.pid(host)
        if listed is None:
            return None
        peers = kubelet_process.peers(listed, kubelet_process.inode(socket))
        return main is not None and any(pid == main for pid, _ in peers)

    if connected() is None:
        return False
    wait_for(
        lambda: connected() is True,
        wanted=f"the kubelet's connection to {socket}",
        limit_s=_KUBELET_LIMIT_S,
        hint="journalctl -u kubelet says why it does not run.",
    )
    return True


def _has_created(socket: str) -> bool:
    try:
        with RuntimeClient(socket, timeout_s=_CALL_LIMIT_S) as client:
            return any(one.state is ContainerState.CREATED for one in client.list_containers())
    except RuntimeCallError:
        return False


def require_records_of_a_pod(
    configuration: Configuration, *, socket: str, ledger: str, handler: str = ""
) -> None:
    """Nothing, if a throw-away pod through `socket` leaves the hook's and the shim's records.

    `handler` is the runtime handler of the pod; empty for the node's default.

    Raises:
        NotProvedError: it does not.
        RuntimeCallError: the pod could not be run.
    """
    pod = ProbePod(
        image=configuration.sandbox_image,
        cgroup_parent="system.slice" if configuration.has_systemd_cgroup else "/",
        runtime_handler=handler,
    )
    missing = f" with the handler {handler}" if handler else ""

    def look(container_id: str) -> None:
        wait_for(
            lambda: _is_on_record(ledger, container_id),
            wanted=f"the hook's and the shim's record of a throw-away pod{missing}",
            limit_s=_RECORD_LIMIT_S,
            hint="`nsledger doctor` tells which handlers have the hook, and whether it can run.",
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


def wait_for(reached: Callable[[], bool], *, wanted: str, limit_s: float, hint: str = "") -> None:
    """Wait until `reached`.

    Raises:
        NotProvedError: it was not within the limit.
    """
    deadline = time.monotonic() + limit_s
    while not reached():
        if time.monotonic() > deadline:
            raise NotProvedError(wanted=wanted, limit_s=limit_s, hint=hint)
        time.sleep(_LOOK_AGAIN_S)
