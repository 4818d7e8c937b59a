"""What containerd will write into a container's OCI spec, known before it is asked to create it.

The shim annotates CreateContainer with this. It is no evidence: what the runtime then wrote is
`container.assigned`, and the two stand side by side on record. What is not certain is left out.

It holds for containerd's own sandboxer and its default spec. A `base_runtime_spec` may add a cgroup
or a time namespace; CRI-O pins namespaces under paths of its own and is not predicted by this.

Source: containerd `internal/cri/opts/spec_opts.go` (WithPodNamespaces) and
`internal/cri/server/container_create.go` (buildLinuxSpec), 1.6 to 2.3.
"""

from __future__ import annotations

from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    Assignment,
    NamespaceMode,
    NamespaceType,
    RequestedMode,
    RequestedNamespaces,
)


def predict(
    requested: RequestedNamespaces,
    *,
    sandbox_pid: int | None,
    sandbox_assigned: AssignedNamespaces | None = None,
    target_pid: int | None = None,
    privileged: bool = False,
    cgroup_version: int = 0,
) -> AssignedNamespaces:
    """The assignment of each type that is certain; the others are absent.

    Args:
        requested: by the container itself (`ContainerConfig`), not by its pod.
        sandbox_pid: None or 0 if the sandbox has no process on this kernel.
        sandbox_assigned: what the sandbox's own spec says, where it is known: containerd 1.6 gives
            no user namespace to a pod that asks for one.
        target_pid: of the container that `target_id` names; None or 0 if it does not run.
        privileged: as CreateContainer asks.
        cgroup_version: 1 or 2; 0 if it is not known.
    """
    predicted: dict[NamespaceType, Assignment | None] = {
        NamespaceType.CGROUP: _cgroup(cgroup_version, privileged=privileged),
        NamespaceType.IPC: _joined(sandbox_pid, NamespaceType.IPC),
        NamespaceType.MNT: NEW,
        NamespaceType.NET: _joined(sandbox_pid, NamespaceType.NET),
        NamespaceType.PID: _pid(requested.pid, sandbox_pid, target_pid),
        NamespaceType.TIME: INHERITED,
        NamespaceType.USER: _user(
            requested.mode(NamespaceType.USER), sandbox_pid, sandbox_assigned or {}
        ),
        NamespaceType.UTS: _joined(sandbox_pid, NamespaceType.UTS),
    }
    return {type_: one for type_, one in predicted.items() if one is not None}


def _joined(pid: int | None, type_: NamespaceType) -> Assignment | None:
    """The path into a process; also for host modes, where that process is in the host's."""
    return f"/proc/{pid}/ns/{type_}" if pid else None


def _pid(
    mode: RequestedMode | None, sandbox_pid: int | None, target_pid: int | None
) -> Assignment | None:
    match mode:
        case NamespaceMode.CONTAINER:
            return NEW
        case NamespaceMode.TARGET:
            return _joined(target_pid, NamespaceType.PID)
        case NamespaceMode.POD | NamespaceMode.NODE | None:  # absent reads as POD on the wire
            return _joined(sandbox_pid, NamespaceType.PID)
        case _:
            return None


def _user(
    mode: RequestedMode | None, sandbox_pid: int | None, sandbox_assigned: AssignedNamespaces
) -> Assignment | None:
    match mode:
        case NamespaceMode.NODE | None:
            return INHERITED
        case NamespaceMode.POD if sandbox_assigned.get(NamespaceType.USER) == INHERITED:
            return INHERITED
        case NamespaceMode.POD:
            return _joined(sandbox_pid, NamespaceType.USER)
        case _:  # CRI forbids it: the runtime refuses the call, or is newer than these rules
            return None


def _cgroup(version: int, *, privileged: bool) -> Assignment | None:
    """A new one on cgroup v2 unless privileged; the host's otherwise."""
    return INHERITED if privileged else {1: INHERITED, 2: NEW}.get(version)
