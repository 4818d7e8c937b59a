"""`make demo`: four pods through nsledger on a private containerd, and what is on record then."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from demo.cri import Client
from demo.hook import install_hook
from demo.installation import Installation
from demo.node import PrivateNode
from demo.pods import Kubelet, Pod, RunningPod
from demo.shim import Shim
from nsledger.errors import NsledgerError
from nsledger.model.events import ContainerStarted
from nsledger.model.record import Record

_CAN_DEMO: Final = Path(__file__).parents[1] / "tools/can-demo"

PLAIN: Final = Pod(name="plain", containers=("app", "sidecar"))
SHARED: Final = Pod(name="shared-pid", containers=("app", "sidecar"), share_process_namespace=True)
HOST: Final = Pod(name="host", host_network=True, host_pid=True, host_ipc=True)
USER: Final = Pod(name="user-namespace", host_users=False)


class Progress:
    """Says what is done, and how long after the start."""

    def __init__(self) -> None:
        self._started_s = time.monotonic()

    def say(self, what: str) -> None:
        """Print one line."""
        print(f"[{time.monotonic() - self._started_s:5.1f} s] {what}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration; 0 if it went well, 3 if this machine cannot run it."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--containerd", default="containerd", help="the program to use")
    parser.add_argument("--tree", type=Path, help="a Debian tree whose containerd to use")
    told = parser.parse_args(arguments)
    if subprocess.run([_CAN_DEMO], check=False).returncode:
        return 3
    # So that SIGTERM, too, leaves by the way of every `with`.
    signal.signal(signal.SIGTERM, _leave)
    progress = Progress()
    try:
        installation = (
            Installation.of_tree(told.tree)
            if told.tree
            else Installation.of_this_machine(told.containerd)
        )
        _demonstrate(installation, progress)
    except NsledgerError as error:
        print(f"make demo: {error}\n{error.hint}".rstrip(), file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        progress.say("interrupted; everything was taken down")
        return 128 + signal.SIGINT
    progress.say("taken down; nothing is left behind")
    return 0


def _demonstrate(installation: Installation, progress: Progress) -> None:
    with PrivateNode(installation) as node:
        shim = Shim(node)
        progress.say(f"a private node in {node.directory}: {node.versions()}")
        node.start(install_hook(node, spool=shim.paths.spool))
        progress.say("containerd takes pods; in its configuration: nsledger's base runtime spec")
        with shim, Client(shim.paths.socket) as client:
            progress.say(f"nsledger serve relays {shim.paths.socket} to {node.socket}")
            kubelet = node.kubelet(client)
            running = _run_pods(kubelet, progress)
            shim.wait_for("a record of every start", lambda records: _started(records, running))
            for pod in running:
                _show(shim, "show", f"{pod.pod.k8s_namespace}/{pod.pod.name}")
            _show(shim, "explain", f"{SHARED.k8s_namespace}/{SHARED.name}", "pid", "net")
            _show(shim, "pods")
            _show(shim, "findings", "--fail-on", "high")
            network = kubelet.namespace(running[0].containers["app"], "net")
            _show(shim, "whois", network)
            for pod in running:
                kubelet.remove(pod)
            progress.say("the pods are removed; nsledger serve drains")
        _show(shim, "log")
        _show(shim, "verify")


def _run_pods(kubelet: Kubelet, progress: Progress) -> list[RunningPod]:
    pods = [PLAIN, SHARED, HOST]
    if kubelet.can_make_user_namespaces():
        pods.append(USER)
    else:
        progress.say(
            f"no pod {USER.name}: this runtime does not say that it can make user namespaces "
            "(containerd 2 does)"
        )
    running: list[RunningPod] = []
    for pod in pods:
        running.append(kubelet.run(pod))
        progress.say(f"pod {pod.name} runs: {', '.join(pod.containers)}")
    return running


def _started(records: Sequence[Record], running: Sequence[RunningPod]) -> bool:
    seen = {
        record.event.container.container_id
        for record in records
        if isinstance(record.event, ContainerStarted)
    }
    return all(seen >= set(pod.containers.values()) for pod in running)


def _show(shim: Shim, *command: str) -> None:
    print(f"\n$ nsledger {' '.join(command)}", flush=True)
    shim.show(*command)
    print(flush=True)


def _leave(number: int, _frame: object) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
