#!/usr/bin/python3 -I
"""What stands in for the kubelet: it keeps a connection to the endpoint it is told, and asks.

`/run/kubelet.json` says how many calls it made since its start, how many of them failed, and how
the last one that did.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

sys.path[:0] = ["/opt/brought", "/opt/brought/lib"]

import grpc  # noqa: E402

from demo.cri import Client  # noqa: E402

_TOLD = "--container-runtime-endpoint=unix://"
_METHODS = ("Version", "ListPodSandbox", "ListContainers")
_PAUSE_S = 0.1


def main() -> None:
    """Call until stopped."""
    (endpoint,) = (word.removeprefix(_TOLD) for word in sys.argv if word.startswith(_TOLD))
    said: dict[str, Any] = {
        "endpoint": endpoint,
        "pid": os.getpid(),
        "calls": 0,
        "failed": 0,
        "last": "",
    }
    with Client(endpoint, timeout_s=60) as client:
        while True:
            for method in _METHODS:
                said["calls"] += 1
                try:
                    client.call(method)
                except grpc.RpcError as error:
                    said["failed"] += 1
                    said["last"] = f"{time.time():.3f} {method} {error.code().name}"
            with open("/run/kubelet.json.new", "w", encoding="ascii") as file:
                json.dump(said, file)
            os.replace("/run/kubelet.json.new", "/run/kubelet.json")
            time.sleep(_PAUSE_S)


main()
