"""A process that owns a private node with a pod on it, and ends as it is told: see the test.

    hold_a_node.py GENERATION ENDING

It prints the node's name as soon as it has one, and `ready` once its pod runs.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from demo.cri import Client
from demo.installation import Installation
from demo.node import PrivateNode
from demo.pods import Pod
from tests.conftest import SID_TREE


def hold(tree: Path | None, ending: str) -> None:
    """Own a node until the ending comes."""
    installation = Installation.of_tree(tree) if tree else Installation.of_this_machine()
    node = PrivateNode(installation)
    print(node.name, flush=True)  # noqa: T201 - the test reads it
    with node:
        node.start(hook=None)
        with Client(node.socket) as client:
            kubelet = node.kubelet(client)
            kubelet.run(Pod(name="left", containers=("app", "sidecar")))
            kubelet.run(Pod(name="shared", share_process_namespace=True))
            kubelet.run(Pod(name="host", host_network=True, host_pid=True, host_ipc=True))
            print("ready", flush=True)  # noqa: T201 - the test reads it
            if ending == "raises":
                raise RuntimeError(ending)
            if ending == "is killed":
                time.sleep(60)


if __name__ == "__main__":
    hold(SID_TREE if sys.argv[1] == "2" else None, sys.argv[2])
