"""Hook records as files, for the tests of the spool."""

from __future__ import annotations

import json
from pathlib import Path

from nsledger.model.record import Moment

BOOT_ID = "5b1b6e0e-5d4f-4f0e-9c3c-0d6a3d1f2a4b"
NOW = Moment(time_ns=2_000_000_000_000_000_000, mono_ns=1, boot_id=BOOT_ID)


def record(**changes: object) -> dict[str, object]:
    """What a hook writes about an ordinary container."""
    return {
        "v": 1,
        "stage": "createRuntime",
        "container_id": "c1",
        "status": "created",
        "bundle": "/run/containerd/io.containerd.runtime.v2.task/k8s.io/c1",
        "pid": 4711,
        "start_ticks": 815,
        "boot_id": BOOT_ID,
        "time_ns": 1_700_000_000_123_456_789,
        "mono_ns": 5,
        "duration_ns": 900_000,
        "namespaces": {
            "net": {"dev": 4, "ino": 4026532254, "ns_id": "77", "owner_ino": 4026531837}
        },
        "for_children": {"pid": {"dev": 4, "ino": 4026532299}},
        "missing": {"time": "ENOENT"},
        "assigned": {"net": "/proc/4700/ns/net", "mnt": "new", "user": "inherited"},
        "uid_map": [[0, 100000, 65536]],
        "gid_map": [[0, 100000, 65536]],
        "annotations": {
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.sandbox-id": "s1",
            "io.kubernetes.cri.sandbox-namespace": "default",
            "io.kubernetes.cri.sandbox-name": "web-0",
            "io.kubernetes.cri.sandbox-uid": "uid-1",
            "io.kubernetes.cri.container-name": "app",
            "nsledger.dev/audit-id": "0011223344556677",
        },
        "errors": ["namespaces_partial"],
        **changes,
    }


def leave(directory: Path, name: str = "1-2-c1.json", **changes: object) -> Path:
    """Leave a record as the hook does."""
    directory.mkdir(mode=0o700, exist_ok=True)
    hidden, path = directory / f".{name}.tmp", directory / name
    hidden.write_text(json.dumps(record(**changes)) + "\n")
    hidden.chmod(0o600)
    hidden.rename(path)
    return path
