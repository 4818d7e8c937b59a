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
from typing import Any

import pytest

from demo.configuration import RUNC, Handler
from demo.cri import Client
from demo.installation import Installation
from demo.node import PrivateNode
from demo.pods import Kubelet, Pod, RunningPod
from nsledger.node.base_runtime_spec import OciHook
from tests.conftest import SID_TREE

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


@pytest.fixture(scope="session", params=GENERATIONS)
def node(request: pytest.FixtureRequest) -> Iterator[HookedNode]:
    """One node of each generation."""
    with hooked_node(request.param) as node:
        yield node


@pytest.fixture
def run(node: HookedNode) -> Iterator[Callable[[Pod], RunningPod]]:
    """Runs a pod on `node` for the length of a test."""
    running: list[RunningPod] = []

    def run_pod(pod: Pod) -> RunningPod:
        running.append(node.kubelet.run(pod))
        return running[-1]

    yield run_pod
    for pod in running:
        node.kubelet.remove(pod)
