"""Nothing of the state or of config.json is recorded but what the record's format names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nsledger_hook import hook
from tests.integration.hook_runs import records_in, run_hook, state_of

PLANTED = "planted-do-not-record"

CONFIG: dict[str, Any] = {
    "ociVersion": "1.0.2",
    "process": {"env": [f"TOKEN={PLANTED}"], "args": ["login", PLANTED], "cwd": f"/{PLANTED}"},
    "hostname": PLANTED,
    "annotations": {"nsledger.dev/audit-id": PLANTED, "other": PLANTED},
    "mounts": [{"source": f"/{PLANTED}"}],
    "linux": {
        "cgroupsPath": PLANTED,
        "namespaces": [{"type": "pid", "note": PLANTED}, {"type": PLANTED, "path": f"/{PLANTED}"}],
    },
}
ANNOTATIONS = {
    "kubectl.kubernetes.io/last-applied-configuration": PLANTED,
    "io.kubernetes.cri.image-name": PLANTED,
    "io.kubernetes.cri.sandbox-name": "pod",
    "nsledger.dev/other": PLANTED,
}


def everything_left(spool: Path) -> str:
    """The names and the bytes of all files in the spool."""
    return "".join(f"{path.name}\n{path.read_text()}" for path in spool.rglob("*"))


def test_planted_secrets_are_nowhere(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    spool = tmp_path / "spool"
    spool.mkdir()
    state = state_of(os.getpid(), bundle=str(tmp_path), annotations=ANNOTATIONS, extra=PLANTED)

    run = run_hook(state, "--spool", spool)

    (record,) = records_in(spool)
    assert record["annotations"] == {"io.kubernetes.cri.sandbox-name": "pod"}
    assert record["assigned"] == dict.fromkeys(hook.TYPES, "inherited") | {"pid": "new"}
    assert PLANTED not in everything_left(spool) + run.stderr


def test_what_cannot_be_understood_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG)[:-1] + f', "{PLANTED}')
    spool = tmp_path / "spool"
    spool.mkdir()
    broken = [
        f'{{"annotations": "{PLANTED}'.encode(),
        f'{{"pid": "{PLANTED}", "id": ["{PLANTED}"]}}'.encode(),
        state_of(None, bundle=f"/{PLANTED}" * 200, status={PLANTED: PLANTED}),
        state_of(None, bundle=str(tmp_path)),
    ]

    runs = [run_hook(state, "--spool", spool, f"--{PLANTED}", PLANTED) for state in broken]
    runs += [run_hook(state, "--spool", spool / "missing") for state in broken]

    assert len(records_in(spool)) == len(broken)
    assert PLANTED not in everything_left(spool) + "".join(run.stderr for run in runs)
