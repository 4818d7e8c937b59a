"""Private nodes for the tests: one of each generation, for the whole run.

A test that asks for `node` runs on both. One that asks for `first_node` or `second_node` names its
generation by the marker too.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from demo.configuration import RUNC, Handler
from demo.cri import Client
from demo.hook import install_hook
from demo.installation import Installation
from demo.node import PrivateNode
from demo.pods import Kubelet, Pod, RunningPod
from demo.shim import Shim
from nsledger.model.events import ContainerStarted, PodAssigned
from nsledger.model.judgement import Verdict
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.node.base_runtime_spec import OciHook
from tests.conftest import SID_TREE

E = TypeVar("E")

Run = Callable[[Pod], RunningPod]

UNHOOKED = Handler("unhooked", hooked=False)
CRUN = Handler("crun", binary="crun")

GENERATIONS = [
    pytest.param(1, marks=pytest.mark.containerd1, id="containerd1"),
    pytest.param(2, marks=pytest.mark.containerd2, id="containerd2"),
]


@dataclass(frozen=True, slots=True)
class HookedNode:
    """A node that takes pods, whose containers the stand-in hook sees."""

    node: PrivateNode
    kubelet: Kubelet
    generation: int
    seen: Path

    def seen_by_hook(self, container_id: str) -> dict[str, Any] | None:
        """What the hook kept of a container's start; None if it did not run."""
        with contextlib.suppress(FileNotFoundError):
            kept: dict[str, Any] = json.loads((self.seen / f"{container_id}.json").read_text())
            return kept
        return None


def installation(generation: int) -> Installation:
    """The containerd of a generation: this machine's, or the sid tree's."""
    return Installation.of_this_machine() if generation == 1 else Installation.of_tree(SID_TREE)


@contextlib.contextmanager
def hooked_node(generation: int) -> Iterator[HookedNode]:
    """A node of `generation` with the stand-in hook."""
    with PrivateNode(installation(generation), handlers=(RUNC, UNHOOKED, CRUN)) as node:
        seen = node.directory / "seen"
        seen.mkdir()
        hook = Path(shutil.copy(Path(__file__).with_name("stand_in_hook.py"), node.directory))
        node.start(
            OciHook(
                path="/usr/bin/python3",
                args=("python3", "-I", "-S", str(hook), str(seen)),
                timeout=5,
            )
        )
        with Client(node.socket) as client:
            client.call("Version")  # so that its descriptors are there before a test counts them
            yield HookedNode(node, node.kubelet(client), generation, seen)


@dataclass(frozen=True, slots=True)
class AuditedNode:
    """A node with all of nsledger on it; its kubelet calls through the shim."""

    node: PrivateNode
    shim: Shim
    kubelet: Kubelet
    generation: int

    def events(self, kind: type[E], container_id: str) -> list[E]:
        """The ledger's events of one kind about a container, or about a sandbox by its id."""
        return [
            record.event
            for record in self.shim.records()
            if isinstance(record.event, kind) and subject(record.event) == container_id
        ]

    def event(self, kind: type[E], container_id: str) -> E:
        """The one event of its kind about a container or a sandbox, once it is on record."""
        self.shim.wait_for(
            f"{kind.__name__} of {container_id}", lambda _: bool(self.events(kind, container_id))
        )
        (event,) = self.events(kind, container_id)
        return event

    def mismatches(self) -> list[str]:
        """Where the ledger says that layers contradict each other, of every pod of this node."""
        return [
            f"{event.pod.full_name} {type_}: {judgement.reason}"
            for record in self.shim.records()
            if isinstance(event := record.event, PodAssigned | ContainerStarted)
            for type_, judgement in event.judgements.items()
            if judgement.verdict is Verdict.MISMATCH
        ]


def subject(event: object) -> str:
    """The id of the container that an event is about, else of the sandbox."""
    container: ContainerRef | None = getattr(event, "container", None)
    pod: PodRef | None = getattr(event, "pod", None)
    return container.container_id if container else pod.pod_sandbox_id if pod else ""


@contextlib.contextmanager
def audited_node(generation: int, **settings: float | bool) -> Iterator[AuditedNode]:
    """A node of `generation` with nsledger's hook and shim, which is told `settings`."""
    with PrivateNode(installation(generation), handlers=(RUNC, UNHOOKED, CRUN)) as node:
        shim = Shim(node, **settings)
        node.start(install_hook(node, spool=shim.paths.spool))
        with shim, Client(shim.paths.socket) as client:
            client.call("Version")
            shim.wait_for("a ledger that can be read", bool)
            audited = AuditedNode(node, shim, node.kubelet(client), generation)
            yield audited
            # A real runtime does what it is asked, so whatever the tests ran, no layers differ.
            assert audited.mismatches() == []


@pytest.fixture(scope="session", params=GENERATIONS)
def audited(request: pytest.FixtureRequest) -> Iterator[AuditedNode]:
    """One node of each generation, with nsledger on it."""
    with audited_node(request.param) as node:
        yield node


@pytest.fixture(scope="session", params=GENERATIONS)
def node(request: pytest.FixtureRequest) -> Iterator[HookedNode]:
    """One node of each generation."""
    with hooked_node(request.param) as node:
        yield node


@pytest.fixture
def run(node: HookedNode) -> Iterator[Run]:
    """Runs a pod on `node` for the length of a test."""
    with runner(node.kubelet) as run_pod:
        yield run_pod


@pytest.fixture
def run_audited(audited: AuditedNode) -> Iterator[Run]:
    """Runs a pod on `audited`, through the shim, for the length of a test."""
    with runner(audited.kubelet) as run_pod:
        yield run_pod


@contextlib.contextmanager
def runner(kubelet: Kubelet) -> Iterator[Run]:
    """Runs pods, and removes them in the end."""
    running: list[RunningPod] = []

    def run_pod(pod: Pod) -> RunningPod:
        running.append(kubelet.run(pod))
        return running[-1]

    yield run_pod
    for pod in running:
        kubelet.remove(pod)
