"""One hook record, format 1: what a run of `nsledger-hook` left, and the event that it is.

Source: hooks/README.md; the golden files in tests/contract/vectors.
"""

from __future__ import annotations

import re
from typing import Final, Literal, Self

import msgspec

from nsledger import bounds
from nsledger.model.events import ContainerWitnessed, Source
from nsledger.model.namespaces import (
    IdMapping,
    KernelNumber,
    NamespaceIdentity,
    NamespaceReading,
    NamespaceType,
    ProcessId,
)
from nsledger.model.record import rfc3339
from nsledger.model.refs import ContainerRef, PodRef
from nsledger.spool.directory import MAX_FILE_BYTES, RefusedError

_CRI: Final = "io.kubernetes.cri."
_CRIO: Final = "io.kubernetes.cri-o."
_POD: Final = "io.kubernetes.pod."
_CONTAINER_NAME: Final = "io.kubernetes.container.name"
_MANAGERS: Final = {"cri-o": "cri-o", "libpod": "podman"}
"""What engines on containers/storage write into `io.container.manager`."""
_TASK: Final = re.compile(r".*/io\.containerd\.runtime\.v2\.task/([\w.-]{1,76})/[^/]+/?").fullmatch
"""A bundle of containerd's, with containerd's own namespace in its path."""
_CONTAINERD_NAMESPACES: Final = {"k8s.io": "containerd", "moby": "docker"}
_AUDIT_ID: Final = "nsledger.dev/audit-id"


class _Metadata(msgspec.Struct, frozen=True):
    attempt: int = 0


def _attempt(metadata: str) -> int:
    """Which start of its container that is, as CRI-O writes it; 0 if it is not told."""
    try:
        return max(0, msgspec.json.decode(metadata, type=_Metadata).attempt) if metadata else 0
    except msgspec.DecodeError:
        return 0


class HookRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of format 1. One that this version does not know is passed over."""

    v: Literal[1]
    stage: str | None = None
    container_id: str | None = None
    status: str | None = None
    bundle: str | None = None
    pid: ProcessId | None = None
    start_ticks: KernelNumber | None = None
    boot_id: str | None = None
    time_ns: KernelNumber
    """Until 2262: later is no clock's time."""
    mono_ns: KernelNumber
    duration_ns: KernelNumber = 0
    namespaces: dict[NamespaceType, NamespaceIdentity] = {}
    for_children: dict[NamespaceType, NamespaceIdentity] = {}
    missing: dict[NamespaceType, str] = {}
    assigned: dict[NamespaceType, str] | None = None
    uid_map: tuple[IdMapping, ...] = ()
    gid_map: tuple[IdMapping, ...] = ()
    annotations: dict[str, str] = {}
    errors: tuple[str, ...] = ()

    @classmethod
    def parse(cls, data: bytes, *, boot_id: str) -> Self:
        """The record that `data` is, if it was made on this boot.

        Raises:
            RefusedError: `unreadable` or `other_boot`, whose inodes mean nothing here.
        """
        try:
            bounds.check(data, most_bytes=MAX_FILE_BYTES, depth=bounds.HOOK_RECORD_DEPTH)
            if b"\\u0000" in data:  # no path and no name of the kernel's has one
                raise RefusedError(reason="unreadable")
            record = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
            raise RefusedError(reason="unreadable") from error
        if record.boot_id not in {boot_id, None}:
            raise RefusedError(reason="other_boot")
        return record

    def event(self) -> ContainerWitnessed:
        """What goes on record: which pod and container it is, by containerd's or CRI-O's word."""
        notes = self.annotations.get
        return ContainerWitnessed(
            source=Source.OCI_HOOK,
            audit_id=notes(_AUDIT_ID, ""),
            pod=PodRef(
                pod_sandbox_id=notes(_CRI + "sandbox-id") or notes(_CRIO + "SandboxID", ""),
                k8s_namespace=notes(_CRI + "sandbox-namespace") or notes(_POD + "namespace", ""),
                name=notes(_CRI + "sandbox-name") or notes(_POD + "name", ""),
                uid=notes(_CRI + "sandbox-uid") or notes(_POD + "uid", ""),
            ),
            container=ContainerRef(
                container_id=self.container_id or "",
                name=notes(_CRI + "container-name") or notes(_CONTAINER_NAME, ""),
                attempt=_attempt(notes(_CRIO + "Metadata", "")),
            ),
            stage=self.stage or "",
            status=self.status or "",
            assigned=self.assigned or {},
            engine=self._engine(),
            actual=self._reading(),
            hook_time=rfc3339(self.time_ns),
            hook_duration_ns=self.duration_ns,
            errors=self.errors,
        )

    def _engine(self) -> str:
        manager = self.annotations.get("io.container.manager", "")
        if manager in _MANAGERS:
            return _MANAGERS[manager]
        if self.annotations.get(_CRI + "container-type"):
            return "containerd"
        task = _TASK(self.bundle or "")
        if task is None:
            return ""
        return _CONTAINERD_NAMESPACES.get(task[1], f"containerd/{task[1]}")

    def _reading(self) -> NamespaceReading | None:
        if self.pid is None:
            return None
        return NamespaceReading(
            pid=self.pid,
            start_ticks=self.start_ticks,
            namespaces=self.namespaces,
            missing=self.missing,
            for_children={
                f"{type_}_for_children": identity for type_, identity in self.for_children.items()
            },
            uid_map=self.uid_map,
            gid_map=self.gid_map,
        )
