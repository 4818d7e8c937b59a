"""The checks by name, in the order in which they are told, and what each asks.

Apart from the checks, so that `--help` and shell completion need not import them.
"""

from __future__ import annotations

from typing import Final

PURPOSES: Final = {
    "namespace-ids": "does the kernel give each namespace an id that is never used again?",
    "user-namespaces": "can pods have user namespaces of their own?",
    "cgroup-version": "do containers get cgroup namespaces of their own?",
    "ptrace": "may this process read the namespaces of others?",
    "host-namespaces": "can the host's namespaces be read at pid 1?",
    "clock": "is the clock set, and not behind the ledger's last record?",
    "containerd-configuration": "can containerd's configuration be read, and is CRI on?",
    "runtime-socket": "does the runtime answer?",
    "runtime-version": "is it a version that nsledger is tested with?",
    "handlers": "does every runc handler start from a base spec with the hook, or CRI-O find it?",
    "base-spec": "is each base spec whole, and does its hook exist?",
    "base-spec-current": "was each base spec made from what the node has today?",
    "rlimits": "are containers left with the limits that they had?",
    "annotations": "do our annotations reach the hook, and the admin's what they are for?",
    "running-specs": "do containers that started since then have the hook in their spec?",
    "configuration-loaded": "was containerd restarted since its configuration changed?",
    "installed-files": "are the files that were installed as they were left?",
    "hook-interpreter": "can the hook's interpreter run it?",
    "hook-code": "is the installed hook this version's, and compiled?",
    "spool": "is the spool there, private, and emptied?",
    "service": "is nsledger.service enabled, and does it run?",
    "shim-socket": "does the runtime answer through the shim?",
    "kubelet-endpoint": "is the kubelet told to call the shim?",
    "kubelet-connection": "is the kubelet connected to the shim now?",
    "ledger": "is there a ledger that can be written?",
    "disk-room": "is there room for the ledger?",
    "hook-fires": "does a throw-away pod leave both records? (only with --probe)",
}
