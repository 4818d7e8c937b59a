"""What an OCI bundle tells where the runtime's status tells nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nsledger.auditor import oci_bundle
from nsledger.model.namespaces import INHERITED, NEW, NamespaceType
from tests.processes import sleeping

SPEC = {
    "process": {"env": ["PASSWORD=hunter2"]},
    "linux": {"namespaces": [{"type": "mount"}, {"type": "network", "path": "/proc/7/ns/net"}]},
}


def bundle(place: Path, pid: str = "", spec: object = SPEC, runtime: str = "") -> Path:
    made = place / "c1"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(spec))
    (made / "init.pid").write_text(pid)
    if runtime:
        (made / "runtime").write_text(runtime)
    return made


def test_a_bundle_tells_spec_process_and_runtime(tmp_path: Path) -> None:
    with sleeping() as process:
        bundle(tmp_path, str(process.pid), runtime="/usr/bin/runsc")
        found = oci_bundle.find("c1", [str(tmp_path / "not-there"), str(tmp_path)])

    assert found is not None
    assert (found.pid, found.runtime) == (process.pid, "/usr/bin/runsc")
    assert found.assigned[NamespaceType.NET] == "/proc/7/ns/net"
    assert found.assigned[NamespaceType.MNT] == NEW
    assert found.assigned[NamespaceType.IPC] == INHERITED
    assert "hunter2" not in repr(found)


def test_a_pid_that_was_given_again_since_is_not_the_containers(tmp_path: Path) -> None:
    with sleeping() as process:
        file = bundle(tmp_path, str(process.pid)) / "init.pid"
        hour_ago_s = file.stat().st_mtime - 3600
        os.utime(file, (hour_ago_s, hour_ago_s))
        found = oci_bundle.find("c1", [str(tmp_path)])

    assert found is not None
    assert found.pid is None


@pytest.mark.parametrize("pid", ["", "0", "-1", "none", "4194304"])
def test_a_pid_that_cannot_be_one_is_none(tmp_path: Path, pid: str) -> None:
    bundle(tmp_path, pid)

    found = oci_bundle.find("c1", [str(tmp_path)])

    assert found is not None
    assert found.pid is None


@pytest.mark.parametrize("spec", [[], {"linux": None}, {"linux": {"namespaces": 7}}, "text"])
def test_a_spec_of_no_known_shape_assigns_nothing_that_is_known(
    tmp_path: Path, spec: object
) -> None:
    bundle(tmp_path, spec=spec)

    found = oci_bundle.find("c1", [str(tmp_path)])

    assert found is not None
    assert found.assigned == {}


@pytest.mark.parametrize("id_", ["", "..", "../c1", "a/b", "c2"])
def test_what_has_no_bundle_has_none(tmp_path: Path, id_: str) -> None:
    bundle(tmp_path)

    assert oci_bundle.find(id_, [str(tmp_path)]) is None
