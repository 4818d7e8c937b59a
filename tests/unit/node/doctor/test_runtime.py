from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsledger.node.doctor import runtime
from nsledger.node.doctor.examine import examine
from nsledger.node.doctor.outcome import Result
from nsledger.node.hook_files import HOOK_DIRECTORY, crio_hook
from tests.unit.node.doctor.contexts import ThisMachine, context


@pytest.mark.parametrize(
    ("name", "version", "result"),
    [
        ("containerd", "1.6.20~ds1", Result.OK),
        ("containerd", "v2.1.9", Result.OK),
        ("cri-o", "1.30.2", Result.OK),
        ("containerd", "1.5.9", Result.WARNING),
        ("containerd", "3.0.0", Result.WARNING),
        ("containerd", "unknown", Result.UNKNOWN),
        ("something", "1.0", Result.UNKNOWN),
    ],
)
def test_a_version_that_was_not_tested_is_told(
    name: str, version: str, result: Result, tmp_path: Path
) -> None:
    found = runtime.runtime_version(context(tmp_path, version=(name, version)))

    assert found.result is result
    assert f"{name} {version}" in found.evidence


def test_a_runtime_that_does_not_answer_is_told_once_and_with_its_socket(tmp_path: Path) -> None:
    silent = context(tmp_path, version=None)

    socket, version = runtime.runtime_socket(silent), runtime.runtime_version(silent)

    assert (socket.result, version.result) == (Result.FAILED, Result.UNKNOWN)
    assert "/run/containerd/containerd.sock" in socket.evidence
    assert socket.remedy
    assert runtime.runtime_socket(context(tmp_path)).result is Result.OK


def test_files_that_are_newer_than_containerd_are_not_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    node = context(ThisMachine())
    node.__dict__["containerd"] = SimpleNamespace(files=[SimpleNamespace(path=str(file))])
    node.__dict__["our_specs"] = {}
    # This process stands for containerd.
    monkeypatch.setattr(
        runtime, "_name", lambda pid: "containerd" if pid == str(os.getpid()) else ""
    )

    os.utime(file, (0, 0))
    assert runtime.configuration_loaded(node).result is Result.OK
    os.utime(file, (time.time() + 60,) * 2)
    newer = runtime.configuration_loaded(node)
    monkeypatch.setattr(runtime, "_name", lambda _: "")
    gone = runtime.configuration_loaded(node)

    assert newer.result is gone.result is Result.FAILED
    assert str(file) in newer.evidence
    assert newer.remedy
    assert "no process" in gone.evidence


def test_on_a_node_of_crio_its_hooks_directory_counts_and_not_containerds_files(
    tmp_path: Path,
) -> None:
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/crio").touch()
    hook = tmp_path / "usr/share/containers/oci/hooks.d/nsledger.json"

    def told() -> dict[str, Result]:
        names = ("handlers", "base-spec", "base-spec-current", "annotations")
        found = examine(context(tmp_path), only=[*names, "containerd-configuration"])
        return {one.check: one.result for one in found}

    missing = told()
    hook.parent.mkdir(parents=True)
    hook.write_bytes(b"{}")
    older = told()
    hook.write_bytes(crio_hook())
    found = told()

    assert (missing.pop("handlers"), older.pop("handlers"), found.pop("handlers")) == (
        *(Result.FAILED, Result.WARNING, Result.OK),
    )
    assert {*missing.values(), *older.values(), *found.values()} == {Result.UNKNOWN}


def test_an_image_has_no_containerd_that_could_have_read_it(tmp_path: Path) -> None:
    assert runtime.configuration_loaded(context(tmp_path)).result is Result.UNKNOWN


def test_the_spec_of_a_container_that_runs_tells_whether_it_has_the_hook(tmp_path: Path) -> None:
    bundles = tmp_path / "run/containerd/io.containerd.runtime.v2.task/k8s.io"

    def started(name: str, kind: str, hooks: object, *, later_s: float = 120) -> None:
        spec = bundles / name / "config.json"
        spec.parent.mkdir(parents=True)
        kinds = {"io.kubernetes.cri.container-type": kind}
        spec.write_text(json.dumps({"annotations": kinds, "hooks": hooks}))
        os.utime(spec, (time.time() + later_s,) * 2)

    def told(*parts: object) -> Result:
        node = context(tmp_path)
        node.__dict__["manifest"] = SimpleNamespace(
            parts=parts, containerd_program="", containerd_main=""
        )
        node.__dict__["containerd"] = SimpleNamespace(others=[])
        return runtime.running_specs(node).result

    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/config.toml").touch()
    part = SimpleNamespace(files=[SimpleNamespace(path="/etc/config.toml")])
    hook = {"createRuntime": [{"args": [f"{HOOK_DIRECTORY}/launch.py"]}]}

    assert told(part) is Result.UNKNOWN
    started("before", "container", None, later_s=-60)
    started("pause", "sandbox", None)
    assert told(part) is Result.UNKNOWN
    started("hooked", "container", hook)
    assert told(part) is Result.OK
    started("unhooked", "container", None)
    assert told(part) is Result.FAILED
    assert runtime.running_specs(context(tmp_path)).result is Result.FAILED
