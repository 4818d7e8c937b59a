"""Every method of CRI, by its path on the wire (cri-api 0.37-beta)."""

from __future__ import annotations

RUNTIME_SERVICE = "/runtime.v1.RuntimeService/"
IMAGE_SERVICE = "/runtime.v1.ImageService/"

_UNARY_OF_RUNTIME = [
    "Version",
    "RunPodSandbox",
    "StopPodSandbox",
    "RemovePodSandbox",
    "PodSandboxStatus",
    "ListPodSandbox",
    "CreateContainer",
    "StartContainer",
    "StopContainer",
    "RemoveContainer",
    "ListContainers",
    "ContainerStatus",
    "UpdateContainerResources",
    "ReopenContainerLog",
    "ExecSync",
    "Exec",
    "Attach",
    "PortForward",
    "ContainerStats",
    "ListContainerStats",
    "PodSandboxStats",
    "ListPodSandboxStats",
    "UpdateRuntimeConfig",
    "Status",
    "CheckpointContainer",
    "CheckpointPod",
    "RestorePod",
    "ListMetricDescriptors",
    "ListPodSandboxMetrics",
    "RuntimeConfig",
    "UpdatePodSandboxResources",
]
_STREAMS_OF_RUNTIME = [
    "StreamPodSandboxes",
    "StreamContainers",
    "StreamContainerStats",
    "StreamPodSandboxStats",
    "GetContainerEvents",
    "StreamPodSandboxMetrics",
]

UNARY = [
    *(RUNTIME_SERVICE + name for name in _UNARY_OF_RUNTIME),
    *(
        IMAGE_SERVICE + name
        for name in ("ListImages", "ImageStatus", "PullImage", "RemoveImage", "ImageFsInfo")
    ),
]
STREAMS = [
    *(RUNTIME_SERVICE + name for name in _STREAMS_OF_RUNTIME),
    IMAGE_SERVICE + "StreamImages",
]
ALL = [*UNARY, *STREAMS]
