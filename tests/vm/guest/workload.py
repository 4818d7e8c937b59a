"""Pods on the machine, asked for over CRI, and what the kernel says of them.

workload.py SOCKET run PODS      starts each pod of the JSON list PODS; prints what each got
workload.py SOCKET remove        stops and removes every pod
workload.py SOCKET limits        what a container sees of its limits and privileges
workload.py SOCKET load PORT     starts and removes pods until it is stopped; PORT is told of each
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from typing import Any

sys.path[:0] = ["/opt/brought", "/opt/brought/lib"]

from demo.cri import Client  # noqa: E402
from demo.pods import Kubelet, Pod  # noqa: E402

_TYPES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")
_LIMITS = ("/proc/self/limits", "/proc/self/status", "/proc/self/mountinfo")
_KEPT = ("Max", "Cap", "Seccomp", "NoNewPrivs", "Uid", "Gid", "Groups")


def main(socket: str, command: str, *words: str) -> None:
    """Carry out one command."""
    with Client(socket, timeout_s=120) as client:
        kubelet = Kubelet(client, cgroup_parent="kubepods.slice")
        if command == "run":
            _say({one["name"]: _run(kubelet, one) for one in json.loads(words[0])})
        elif command == "remove":
            _remove(client)
        elif command == "limits":
            _say(_limits(kubelet))
        elif command == "load":
            _load(kubelet, words[0])
        else:
            raise SystemExit(f"unknown command: {command}")


def _run(kubelet: Kubelet, described: dict[str, Any]) -> dict[str, Any]:
    running = kubelet.run(Pod(**described))
    sandbox = kubelet.sandbox_info(running.pod_sandbox_id)["pid"]
    return {
        "pod_sandbox_id": running.pod_sandbox_id,
        "namespaces": _namespaces(sandbox),
        "containers": {
            name: _container(kubelet, container_id)
            for name, container_id in running.containers.items()
        },
    }


def _container(kubelet: Kubelet, container_id: str) -> dict[str, Any]:
    return {
        "id": container_id,
        "namespaces": _namespaces(kubelet.container_info(container_id)["pid"]),
        "cgroup_inside": kubelet.run_inside(container_id, "cat", "/proc/self/cgroup").strip(),
    }


def _namespaces(pid: int) -> dict[str, int]:
    """The inode of each link below /proc/<pid>/ns."""
    links = {type_: os.readlink(f"/proc/{pid}/ns/{type_}") for type_ in _TYPES}
    return {type_: int(link.strip("[]").partition(":[")[2]) for type_, link in links.items()}


def _limits(kubelet: Kubelet) -> list[str]:
    pod = kubelet.run(Pod(name="limits"))
    text = kubelet.run_inside(pod.containers["app"], "cat", *_LIMITS)
    kubelet.remove(pod)
    mounts = [line.split()[4] for line in text.splitlines() if " - " in line]
    return [line for line in text.splitlines() if line.startswith(_KEPT)] + mounts


def _remove(client: Client) -> None:
    for sandbox in client.call("ListPodSandbox").items:
        client.call("StopPodSandbox", pod_sandbox_id=sandbox.id)
        client.call("RemovePodSandbox", pod_sandbox_id=sandbox.id)


def _load(kubelet: Kubelet, port: str) -> None:
    with open(port, "w", encoding="ascii", buffering=1) as told:
        for number in itertools.count():
            pod = kubelet.run(Pod(name=f"load-{number}", host_network=True))
            # Told once the kubelet has its answer: from here on it counts as a pod that ran.
            told.write(f"{pod.containers['app']} {time.time():.3f}\n")
            if number % 2:
                kubelet.remove(pod)


def _say(found: object) -> None:
    print(json.dumps(found))  # noqa: T201 - the test reads it


main(*sys.argv[1:])
