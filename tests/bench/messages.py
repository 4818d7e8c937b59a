"""The messages of the benchmarks: what a kubelet asks, and what a runtime answers it.

The compiled peers see files of bytes; what the bytes mean stands here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from nsledger.cri.generated import nsledger_cri_pb2 as pb

_STATUSES: Final = Path(__file__).parents[1] / "contract/vectors/status"
_ANY_ID: Final = "5" * 64
"""In a status the compiled runtime puts the id there that it is asked for."""
_CONTAINER_ID: Final = "c" * 64

NODE_PODS: Final = 110
"""The kubelet's default limit (`maxPods`)."""
_CONTAINERS_PER_POD: Final = 1.5
_LONG_LIST: Final = 1 << 20


def requests() -> dict[str, bytes]:
    """By method: what the client sends."""
    return {
        # VersionRequest has one field, a string.
        "Version": _field(1, b"v" * 198),
        "CreateContainer": create_container(),
        "ListContainers": b"",
        "ListPodSandbox": b"",
        "LongList": b"",
        "GetContainerEvents": b"",
        "Status": b"",
        "ImageFsInfo": b"",
        "ListContainerStats": b"",
        "ListPodSandboxStats": b"",
    }


def answers() -> dict[str, bytes]:
    """By method: what the runtime answers; `LongList` stands for a list of 1 MiB."""
    containers = [_container(number) for number in range(round(NODE_PODS * _CONTAINERS_PER_POD))]
    one = len(_field(1, containers[0]))
    stats = b"".join(_field(1, b"s" * 500) for _ in containers)
    return {
        "Version": _version().SerializeToString(),
        "CreateContainer": pb.CreateContainerResponse(
            container_id=_CONTAINER_ID
        ).SerializeToString(),
        "PodSandboxStatus": _pod_sandbox_status(),
        "ContainerStatus": _container_status(),
        "ListPodSandbox": b"".join(_field(1, _sandbox(number)) for number in range(NODE_PODS)),
        "ListContainers": b"".join(_field(1, container) for container in containers),
        "LongList": b"".join(_field(1, _container(number)) for number in range(_LONG_LIST // one)),
        "GetContainerEvents": _field(1, b"e" * 198),
        "Status": b"s" * 300,
        "ImageFsInfo": b"i" * 200,
        "ListContainerStats": stats,
        "ListPodSandboxStats": stats,
    }


def create_container() -> bytes:
    """A CreateContainerRequest as the kubelet sends it: 4 KB."""
    env = b"".join(_field(6, _field(1, b"NAME_%02d" % n) + _field(2, b"v" * 40)) for n in range(40))
    mount = b"".join(
        _field(7, _field(1, b"/in/%02d" % n) + _field(2, b"/var/lib/kubelet/" + b"p" * 79))
        for n in range(14)
    )
    config = pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name="app"),
        image=pb.ImageSpec(image="docker.io/local/app:1"),
        annotations={f"io.kubernetes.container.key{n}": "value" for n in range(5)},
    )
    request = pb.CreateContainerRequest(
        pod_sandbox_id=_ANY_ID,
        config=pb.ContainerConfig.FromString(config.SerializeToString() + env + mount),
        sandbox_config=pb.PodSandboxConfig(
            metadata=pb.PodSandboxMetadata(name="pod", uid="u" * 36, namespace="default"),
        ),
    )
    return request.SerializeToString()


def write(directory: Path, messages: dict[str, bytes]) -> Path:
    """One file for each message, in a new directory."""
    directory.mkdir()
    for name, message in messages.items():
        (directory / name).write_bytes(message)
    return directory


def _version() -> pb.VersionResponse:
    return pb.VersionResponse(
        runtime_name="containerd", runtime_version="v" * 160, runtime_api_version="v1"
    )


def _sandbox(number: int) -> bytes:
    return pb.PodSandbox(
        id=f"{number:064x}",
        metadata=pb.PodSandboxMetadata(name=f"pod-{number}", uid="u" * 36, namespace="default"),
    ).SerializeToString() + _field(4, b"l" * 300)


def _container(number: int) -> bytes:
    return pb.Container(
        id=f"{number:064x}",
        pod_sandbox_id=f"{number:064x}",
        metadata=pb.ContainerMetadata(name=f"container-{number}"),
        image=pb.ImageSpec(image="docker.io/local/app:1"),
        state=pb.CONTAINER_RUNNING,
    ).SerializeToString() + _field(8, b"l" * 400)


def _pod_sandbox_status() -> bytes:
    answer = pb.PodSandboxStatusResponse()
    status, info = _captured("containerd-2.1-plain-pod")
    json_format.ParseDict(status | {"id": _ANY_ID}, answer.status, ignore_unknown_fields=True)
    answer.info["info"] = info
    return answer.SerializeToString()


def _container_status() -> bytes:
    answer = pb.ContainerStatusResponse()
    status, info = _captured("containerd-2.1-plain-container")
    json_format.ParseDict(status | {"id": _ANY_ID}, answer.status, ignore_unknown_fields=True)
    answer.info["info"] = info
    return answer.SerializeToString()


def _captured(name: str) -> tuple[dict[str, object], str]:
    """A status as containerd gave it, and its verbose part, several KB of JSON.

    Its process is ours: a node whose processes are all dead would be looked at more closely.
    """
    document = json.loads((_STATUSES / f"{name}.json").read_text(encoding="utf-8"))
    info = document["info"] | {"pid": os.getpid()}
    if "sandboxID" in info:
        info["sandboxID"] = _ANY_ID
    return document["status"], json.dumps(info)


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field; numbers below 16, content below 16 KB."""
    length = len(content)
    prefix = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + prefix + content
