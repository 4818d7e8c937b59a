"""What starting a pod takes on real containerd: with and without the shim, with and without hook.

Two private nodes of demo/, one whose containerd runs the hook in every start. On each, pods start
one after the other, directly and through `nsledger serve`; the four ways take turns within a round,
in another order each.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from demo.cri import Client
from demo.hook import install_hook
from demo.installation import Installation, NotInstalledError
from demo.node import PrivateNode
from demo.pods import Kubelet, Pod
from demo.shim import Shim
from tests.bench.peers import PeerMissingError

ROUNDS: Final = 15
_STEPS: Final = ("RunPodSandbox", "CreateContainer", "StartContainer")
_POD: Final = "pod"
"""All three."""


class TimedClient(Client):
    """Keeps how long each call took."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.taken_ms: dict[str, list[float]] = {}

    def call(self, method: str, **fields: Any) -> Any:  # noqa: ANN401 - as in `Client`
        """The call, timed."""
        began_ns = time.perf_counter_ns()
        answer = super().call(method, **fields)
        taken_ms = (time.perf_counter_ns() - began_ns) / 1e6
        self.taken_ms.setdefault(method, []).append(taken_ms)
        return answer


@dataclass(slots=True)
class Way:
    """One way to start pods, and what each step took, in milliseconds."""

    name: str
    kubelet: Kubelet
    client: TimedClient
    taken_ms: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def start_a_pod(self, name: str, *, counts: bool) -> None:
        """Start one, and remove it again; only the start is timed."""
        self.client.taken_ms.clear()
        running = self.kubelet.run(Pod(name=name))
        if counts:
            steps_ms = [sum(self.client.taken_ms[step]) for step in _STEPS]
            for step, taken_ms in zip((*_STEPS, _POD), (*steps_ms, sum(steps_ms)), strict=True):
                self.taken_ms.setdefault(step, []).append(taken_ms)
        self.kubelet.remove(running)

    def median_ms(self, step: str) -> float:
        """Over all pods."""
        return statistics.median(self.taken_ms[step])


def main(rounds: int = ROUNDS) -> None:
    """Measure, print a table, and the figures as JSON on the last line.

    Raises:
        PeerMissingError: there is no containerd.
    """
    try:
        installation = Installation.of_this_machine()
    except NotInstalledError as error:
        raise PeerMissingError(f"{error}; {error.hint}") from error
    with ExitStack() as running:
        ways = _ways(installation, running)
        order = random.Random(1)
        for round_ in range(-1, rounds):
            for way in order.sample(ways, len(ways)):
                way.start_a_pod(f"pod-{round_ + 1}", counts=round_ >= 0)
    _show(ways, rounds)


def _ways(installation: Installation, running: ExitStack) -> list[Way]:
    ways: list[Way] = []
    for hooked in (False, True):
        node = running.enter_context(PrivateNode(installation))
        shim = Shim(node)
        node.start(install_hook(node, spool=shim.paths.spool) if hooked else None)
        running.enter_context(shim)
        for relayed, path in ((False, node.socket), (True, shim.paths.socket)):
            client = running.enter_context(TimedClient(path))
            words = ["shim"] * relayed + ["hook"] * hooked
            ways.append(Way(" and ".join(words) or "neither", node.kubelet(client), client))
    return ways


def _show(ways: list[Way], rounds: int) -> None:
    steps = (*_STEPS, _POD)
    print(f"{rounds} pods each way, one after the other; medians in ms")
    print(f"{'with':<14}" + "".join(f"{step:>17}" for step in steps) + f"{'pods/minute':>13}")
    figures: dict[str, float] = {}
    for way in ways:
        medians = {step: way.median_ms(step) for step in steps}
        per_minute = 60_000 / medians[_POD]
        print(
            f"{way.name:<14}"
            + "".join(f"{median:>17.1f}" for median in medians.values())
            + f"{per_minute:>13.0f}"
        )
        word = way.name.replace(" and ", "_")
        figures |= {f"{word}_{step}_ms": round(median, 2) for step, median in medians.items()}
        figures[f"{word}_pods_per_minute"] = round(per_minute, 1)
    print(json.dumps(figures))
