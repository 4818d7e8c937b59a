"""Pods and containers, by CRI's names. What is not declared here can enter no record."""

from __future__ import annotations

from typing import Annotated, Self

import msgspec

Attempt = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
"""CRI's uint32."""


class _Ref(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    def completed_by(self, other: Self) -> Self:
        """This reference, with what only `other` knows filled in; both are of one thing."""
        if self == other:
            return self
        unset = type(self)()
        return msgspec.structs.replace(
            self,
            **{
                name: getattr(other, name)
                for name in self.__struct_fields__
                if getattr(self, name) == getattr(unset, name)
            },
        )


class PodRef(_Ref, frozen=True, kw_only=True):
    """Which pod sandbox a record is about; every field that was not known then is empty."""

    pod_sandbox_id: str = ""
    """The runtime's id; empty in `pod.requested`, which is written before there is one."""
    k8s_namespace: str = ""
    """The Kubernetes namespace: a part of a cluster, no kernel object."""
    name: str = ""
    uid: str = ""
    """Kubernetes' uid of the pod, the same over all attempts."""
    attempt: Attempt = 0
    runtime_handler: str = ""
    """As the kubelet asked for it; empty is the runtime's default."""

    @property
    def full_name(self) -> str:
        """`k8s_namespace/name`, or what is left of it."""
        if self.k8s_namespace and self.name:
            return f"{self.k8s_namespace}/{self.name}"
        return self.name or self.pod_sandbox_id[:13]


class ContainerRef(_Ref, frozen=True, kw_only=True):
    """Which container a record is about; every field that was not known then is empty."""

    container_id: str = ""
    """The runtime's id; empty in `container.requested`."""
    name: str = ""
    attempt: Attempt = 0
    """0 for the first start, then one more for each restart."""
    image: str = ""
    """As asked for in CRI's ImageSpec."""
