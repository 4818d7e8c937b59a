from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from nsledger.node.doctor import runtime
from nsledger.node.doctor.examine import examine
from nsledger.node.doctor.outcome import Result
from nsledger.node.hook_files import crio_hook
from tests.unit.node.doctor.sights import ThisMachine, sight


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
    found = runtime.runtime_version(sight(tmp_path, version=(name, version)))

    assert found.result is result
    assert f"{name} {version}" in found.evidence


def test_a_runtime_that_does_not_answer_is_told_once_and_with_its_socket(tmp_path: Path) -> None:
    silent = sight(tmp_path, version=None)

    socket, version = runtime.runtime_socket(silent), runtime.runtime_version(silent)

    assert (socket.result, version.result) == (Result.FAILED, Result.UNKNOWN)
    assert "/run/containerd/containerd.sock" in socket.evidence
    assert socket.remedy
    assert runtime.runtime_socket(sight(tmp_path)).result is Result.OK


def test_files_that_are_newer_than_containerd_are_not_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.toml"
    file.touch()
    node = sight(ThisMachine())
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
        found = examine(sight(tmp_path), only=[*names, "containerd-configuration"])
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
    assert runtime.configuration_loaded(sight(tmp_path)).result is Result.UNKNOWN
