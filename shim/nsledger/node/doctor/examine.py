"""Runs the checks: each by itself, so that one that cannot look stops no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from nsledger.errors import NsledgerError
from nsledger.node.doctor import installed, kernel, runtime
from nsledger.node.doctor.context import CheckContext
from nsledger.node.doctor.outcome import CheckResult, Outcome, failed, of_error
from nsledger.node.doctor.purposes import PURPOSES

Check = Callable[[CheckContext], Outcome]

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "namespace-ids": kernel.namespace_ids,
        "user-namespaces": kernel.user_namespaces,
        "cgroup-version": kernel.cgroup_version,
        "ptrace": kernel.ptrace,
        "host-namespaces": kernel.host_namespaces,
        "clock": kernel.clock,
        "containerd-configuration": runtime.containerd_configuration,
        "runtime-socket": runtime.runtime_socket,
        "runtime-version": runtime.runtime_version,
        "handlers": runtime.handlers,
        "base-spec": runtime.whole_base_specs,
        "base-spec-current": runtime.current_base_specs,
        "rlimits": runtime.rlimits,
        "annotations": runtime.allowed_annotations,
        "running-specs": runtime.running_specs,
        "configuration-loaded": runtime.configuration_loaded,
        "installed-files": installed.installed_files,
        "hook-interpreter": installed.hook_interpreter,
        "hook-code": installed.hook_code,
        "spool": installed.spool,
        "service": installed.service,
        "shim-socket": installed.shim_socket,
        "kubelet-endpoint": installed.kubelet_endpoint,
        "kubelet-connection": installed.kubelet_connection,
        "ledger": installed.ledger,
        "disk-room": installed.disk_room,
        "hook-fires": installed.hook_fires,
    }
)


def examine(
    context: CheckContext, *, only: Collection[str] = (), skip: Collection[str] = ()
) -> Iterator[CheckResult]:
    """The finding of each check, in the order of `PURPOSES`."""
    for name in PURPOSES:
        if name in skip or (only and name not in only):
            continue
        yield _outcome(CHECKS[name], context).named(name)


def _outcome(check: Check, context: CheckContext) -> Outcome:
    try:
        return check(context)
    except (NsledgerError, OSError) as error:
        return of_error(error)
    except msgspec.DecodeError as error:
        # A base spec; its text may hold what is nobody's business.
        return failed(f"not the JSON that it should be: {error}", "Run `nsledger install`.")
