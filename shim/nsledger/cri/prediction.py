"""Which namespaces a container is going to join, by the rules that containerd creates it with.

A prediction, made before the call so that it can be written on the container: what the runtime then
did is read from its own spec, and the two stand side by side on record. It holds for containerd's
own sandboxer and its default spec. An operator's `base_runtime_spec` may add a cgroup or a time
namespace; another runtime (CRI-O) pins namespaces under paths of its own and must not be predicted
with this.

Source: containerd internal/cri/opts/spec_opts.go (`WithPodNamespaces`) and
internal/cri/server/container_create.go (`buildLinuxSpec`), 1.6 to 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, assert_never

from nsledger.domain.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    Assignment,
    NamespaceMode,
    NamespaceType,
    RequestedNamespaces,
)

_CGROUP_V1: Final = 1
_CGROUP_V2: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What a prediction depends on beside the request. What is not known is None, 0 or empty."""

    sandbox_pid: int | None = None
    """Of the pod's sandbox process, in the host's pid namespace."""
    sandbox_assigned: AssignedNamespaces = field(default_factory=dict[NamespaceType, Assignment])
    """What the sandbox's spec says: containerd 1.6 gives no user namespace to who asks for one."""
    target_pid: int | None = None
    """Of the container that `target_id` names."""
    cgroup_version: int = 0
    """1 or 2."""


def predict_container(
    requested: RequestedNamespaces, *, privileged: bool, given: Circumstances
) -> AssignedNamespaces:
    """The assignment of each type that is certain; the others are absent.

    A path of the form `/proc/<pid>/ns/<type>` is joined whatever that process is in: in a pod with
    hostNetwork it leads to the host's network namespace.
    """
    answers: dict[NamespaceType, Assignment | None] = {
        NamespaceType.NET: _of_process(given.sandbox_pid, NamespaceType.NET),
        NamespaceType.IPC: _of_process(given.sandbox_pid, NamespaceType.IPC),
        NamespaceType.UTS: _of_process(given.sandbox_pid, NamespaceType.UTS),
        NamespaceType.PID: _pid(requested, given),
        NamespaceType.USER: _user(requested, given),
        NamespaceType.CGROUP: _cgroup(given.cgroup_version, privileged=privileged),
        NamespaceType.MNT: NEW,
        NamespaceType.TIME: INHERITED,
    }
    return {type_: answer for type_, answer in answers.items() if answer is not None}


def _pid(requested: RequestedNamespaces, given: Circumstances) -> Assignment | None:
    # To containerd an absent message is one full of zeros, and zero is POD.
    mode = NamespaceMode.POD if requested.pid is None else requested.pid
    if not isinstance(mode, NamespaceMode):
        return None
    match mode:
        case NamespaceMode.CONTAINER:
            return NEW
        case NamespaceMode.POD | NamespaceMode.NODE:
            return _of_process(given.sandbox_pid, NamespaceType.PID)
        case NamespaceMode.TARGET:
            return _of_process(given.target_pid, NamespaceType.PID)
        case _:
            assert_never(mode)


def _user(requested: RequestedNamespaces, given: Circumstances) -> Assignment | None:
    mode = requested.mode(NamespaceType.USER)
    if mode is None or mode is NamespaceMode.NODE:
        return INHERITED
    if mode is not NamespaceMode.POD:
        return None  # CRI forbids it: the runtime refuses the call, or is newer than these rules
    if given.sandbox_assigned.get(NamespaceType.USER) == INHERITED:
        return INHERITED
    return _of_process(given.sandbox_pid, NamespaceType.USER)


def _cgroup(version: int, *, privileged: bool) -> Assignment | None:
    if privileged or version == _CGROUP_V1:
        return INHERITED
    return NEW if version == _CGROUP_V2 else None


def _of_process(pid: int | None, type_: NamespaceType) -> Assignment | None:
    # A sandbox without a process on this kernel is told as pid 0.
    return f"/proc/{pid}/ns/{type_}" if pid else None
