"""What a real CRI-O answered, and a node that has it: pins and processes as CRI-O makes them.

The golden statuses name paths and pids of the node that they were taken on. `Node` gives them those
of this kernel: each pin is a bind mount that util-linux makes, and each container a process that
joined what its spec names. So what is said of it can be held against /proc.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.status import (
    ContainerStatus,
    ListedContainer,
    ListedSandbox,
    SandboxStatus,
    decode_container_status,
    decode_pod_sandbox_status,
)
from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceType
from tests.processes import sleeping

VECTORS = Path(__file__).parent / "contract/vectors/crio"
UNSHARE = {"network": "--net", "ipc": "--ipc", "uts": "--uts", "user": "--user"}
ENTER = UNSHARE | {"pid": "--pid"}

Document = dict[str, Any]


def load(folder: str, name: str) -> Document:
    """One golden status, such as `plain.sandbox` or `plain.app.container`."""
    document: Document = json.loads((VECTORS / folder / f"{name}.json").read_text("utf-8"))
    return document


def containers_of(folder: str, pod: str) -> list[str]:
    """The names of a pod's containers in a folder."""
    return sorted(
        path.name.split(".")[1] for path in (VECTORS / folder).glob(f"{pod}.*.container.json")
    )


def pods_of(folder: str) -> list[str]:
    """The pods that a folder has."""
    return sorted(path.name.split(".")[0] for path in (VECTORS / folder).glob("*.sandbox.json"))


def _as_sent(document: Document) -> Document:
    """The status as CRI has it, where times are nanoseconds: crictl prints them as dates."""
    times = {
        name: 0 if text.startswith("0001-") else unix_ns(text)
        for name in ("createdAt", "startedAt", "finishedAt")
        if (text := document["status"].get(name))
    }
    return {**document["status"], **times}


def sandbox_status(document: Document) -> SandboxStatus:
    """As the client decodes it."""
    answer = pb.PodSandboxStatusResponse()
    json_format.ParseDict(_as_sent(document), answer.status, ignore_unknown_fields=True)
    answer.info["info"] = json.dumps(document["info"])
    return decode_pod_sandbox_status(answer.SerializeToString())


def container_status(document: Document) -> ContainerStatus:
    """As the client decodes it."""
    answer = pb.ContainerStatusResponse()
    json_format.ParseDict(_as_sent(document), answer.status, ignore_unknown_fields=True)
    answer.info["info"] = json.dumps(document["info"])
    return decode_container_status(answer.SerializeToString())


class Node:
    """The pods of one folder on this kernel; a runtime that answers for them (`Runtime`)."""

    def __init__(self, place: Path, folder: str, stack: ExitStack) -> None:
        self.sandboxes: dict[str, Document] = {}
        self.containers: dict[str, Document] = {}
        self._place, self._folder, self._stack = place, folder, stack

    def run(self, pod: str) -> str:
        """Make a pod's pins and processes; its sandbox's id."""
        sandbox = load(self._folder, f"{pod}.sandbox")
        pins = self._pin(pod, sandbox)
        pids: dict[int, int] = {}
        if "pid" in sandbox["info"]:
            told = sandbox["info"]["pid"]
            pids[told] = sandbox["info"]["pid"] = self._start(sandbox, pins, pids)
        else:
            _name_pins(sandbox, pins)
        id_ = str(sandbox["status"]["id"])
        self.sandboxes[id_] = sandbox
        for name in containers_of(self._folder, pod):
            container = load(self._folder, f"{pod}.{name}.container")
            for entry in _namespaces(container):
                if "/pidns/" in entry.get("path", ""):
                    target = next(one for one in pids.values())
                    pins[entry["path"]] = self._bind(f"/proc/{target}/ns/pid", pod, "pidns")
            told = container["info"]["pid"]
            pids[told] = container["info"]["pid"] = self._start(container, pins, pids)
            self.containers[container["status"]["id"]] = container
        return id_

    def pod_sandbox_status(self, pod_sandbox_id: str) -> SandboxStatus:
        return sandbox_status(self.sandboxes[pod_sandbox_id])

    def container_status(self, container_id: str) -> ContainerStatus:
        return container_status(self.containers[container_id])

    def list_pod_sandboxes(self) -> tuple[ListedSandbox, ...]:
        told = map(self.pod_sandbox_status, self.sandboxes)
        return tuple(ListedSandbox(pod=one.pod, ready=one.ready) for one in told)

    def list_containers(self) -> tuple[ListedContainer, ...]:
        told = map(self.container_status, self.containers)
        return tuple(
            ListedContainer(
                pod_sandbox_id=one.pod_sandbox_id, container=one.container, state=one.state
            )
            for one in told
        )

    def close(self) -> None:
        pass

    def _pin(self, pod: str, sandbox: Document) -> dict[str, str]:
        """Mount what the sandbox keeps; where, by the path that CRI-O told.

        What it was asked to take from the node is a mount of the node's own, but for uts, which is
        always new.
        """
        options = sandbox["status"]["linux"]["namespaces"]["options"]
        pins: dict[str, str] = {}
        new: list[tuple[str, str]] = []
        for entry in _namespaces(sandbox):
            told, type_ = entry.get("path", ""), entry["type"]
            if not told.startswith("/var/run/"):
                continue
            if options.get(type_) == "NODE":
                pins[told] = self._bind(f"/proc/self/ns/{_proc(type_)}", pod, type_)
                continue
            new.append((told, type_))
        under = ["unshare", *(UNSHARE[type_] for _, type_ in new)]
        with sleeping(" ".join(under)) as holder:
            for line in options.get("usernsOptions", {}).get("uids", ()):
                for name in ("uid_map", "gid_map"):
                    text = f"{line['containerId']} {line['hostId']} {line['length']}"
                    Path(f"/proc/{holder.pid}/{name}").write_text(text, "ascii")
            for told, type_ in new:
                pins[told] = self._bind(f"/proc/{holder.pid}/ns/{_proc(type_)}", pod, type_)
        return pins

    def _bind(self, namespace: str, pod: str, type_: str) -> str:
        path = self._file(pod, type_)
        subprocess.run(["mount", "--bind", namespace, str(path)], check=True, timeout=30)
        return str(path)

    def _file(self, pod: str, type_: str) -> Path:
        path = self._place / f"{pod}-{type_}"
        path.touch()
        self._stack.callback(subprocess.run, ["umount", str(path)], check=False, timeout=30)
        return path

    def _start(self, document: Document, pins: dict[str, str], pids: dict[int, int]) -> int:
        """A process with the namespaces of its spec; the spec now says where it has them from."""
        under, new = ["nsenter"], ["--mount"]
        for entry in _namespaces(document):
            told = entry.get("path", "")
            if told.startswith("/proc/"):
                entry["path"] = f"/proc/{pids[int(told.split('/')[2])]}/ns/{_proc(entry['type'])}"
            elif told:
                entry["path"] = pins[told]
            if told:
                under.append(f"{ENTER[entry['type']]}={entry['path']}")
            elif entry["type"] == "pid":
                new.append("--pid")
        fork = "--pid" in new or any(one.startswith("--pid=") for one in under)
        command = f"{' '.join(under)} unshare {' '.join(new)}"
        if not fork:
            return self._stack.enter_context(sleeping(command)).pid
        return self._stack.enter_context(
            _forking(f"{command} --fork --kill-child" if "--pid" in new else command)
        )


@contextmanager
def _forking(under: str) -> Iterator[int]:
    """`sleep` below a program that forks into another pid namespace; the pid of the sleep."""
    with subprocess.Popen([*under.split(), "sleep", "600"]) as process:
        try:
            deadline_s = time.monotonic() + 30
            while (pid := _sleeping_below(process.pid)) is None:
                assert process.poll() is None, f"{under} ended"
                assert time.monotonic() < deadline_s, f"{under} did not come to sleep"
                time.sleep(0.005)
            yield pid
        finally:
            for pid in _below(process.pid):
                subprocess.run(["kill", "-9", str(pid)], check=False, timeout=30)
            process.kill()


def _below(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    except FileNotFoundError:
        return []
    children = [int(one) for one in text.split()]
    return [*children, *(below for child in children for below in _below(child))]


def _sleeping_below(pid: int) -> int | None:
    for one in _below(pid):
        if Path(f"/proc/{one}/comm").read_text("ascii") == "sleep\n":
            return one
    return None


def _name_pins(document: Document, pins: dict[str, str]) -> None:
    """Have a spec say where its namespaces are mounted here."""
    for entry in _namespaces(document):
        if entry.get("path"):
            entry["path"] = pins[entry["path"]]


def _namespaces(document: Document) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = document["info"]["runtimeSpec"]["linux"]["namespaces"]
    return entries


def _proc(oci_name: str) -> str:
    type_ = NamespaceType.of_oci_name(oci_name)
    assert type_ is not None
    return type_.value


@contextmanager
def node(place: Path, folder: str) -> Iterator[Node]:
    """A node whose pods end with the block."""
    with ExitStack() as stack:
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True, timeout=30)
        stack.callback(subprocess.run, ["umount", str(place)], check=False, timeout=30)
        subprocess.run(["mount", "--make-private", str(place)], check=True, timeout=30)
        yield Node(place, folder, stack)
