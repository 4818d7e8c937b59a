"""The last line of a change is true, and its plan is for people."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.installation import HiddenProgramError, install, uninstall
from nsledger.node.changes import Part
from nsledger.node.root import Host
from tests import programs
from tests.unit.cli.conftest import Nsledger

CASE = Path(__file__).parents[2] / "node/field/crio"
pytestmark = pytest.mark.root


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stock node of CRI-O; its programs are not run."""
    monkeypatch.setattr("nsledger.node.survey.require_interpreter", lambda _: None)
    monkeypatch.setattr("nsledger.node.apply._run", lambda *_: None)
    shutil.copytree(CASE, tmp_path, dirs_exist_ok=True)
    return tmp_path


def without_kubelet(image: Path) -> Path:
    shutil.rmtree(image / "usr/lib/systemd")
    return image


def test_an_image_is_written_and_not_proved_and_that_is_success(
    image: Path, nsledger: Nsledger
) -> None:
    done = nsledger("install", "--root", str(image))

    assert done.code == exit_codes.OK
    last = done.out.splitlines()[-1]
    assert last.startswith("written, not proved: ")
    assert "an image does not run" in last
    again = nsledger("install", "--root", str(image))
    assert again.out.splitlines()[-1].startswith("nothing to do")


def test_half_an_installation_is_no_success_unless_only_half_was_asked_for(
    image: Path, nsledger: Nsledger
) -> None:
    without_kubelet(image)

    half = nsledger("install", "--root", str(image))
    asked = nsledger("install", "--root", str(image), "--only", "hook", "--only", "containerd")

    assert half.code == exit_codes.FOUND
    assert half.out.splitlines()[-1] == "not complete: without kubelet"
    assert asked.code == exit_codes.OK


def test_json_is_the_one_thing_on_standard_output(image: Path, nsledger: Nsledger) -> None:
    installed = nsledger("install", "--root", str(image), "-o", "json")
    removed = nsledger("uninstall", "--root", str(image), "-o", "json")

    answer = json.loads(installed.out)
    assert answer["result"] == "written"
    assert {one["part"] for one in answer["not_proved"]} == {*map(str, Part)}
    assert "wrote /" in installed.err
    assert json.loads(removed.out)["result"] == "written"
    planned = json.loads(nsledger("install", "--root", str(image), "--dry-run", "-o", "json").out)
    assert planned["result"] == "planned"


def test_a_plan_begins_with_at_most_ten_lines_and_new_files_are_named_by_size(
    image: Path, nsledger: Nsledger
) -> None:
    before = {path for path in image.rglob("*") if path.is_file()}

    short = nsledger("install", "--root", str(image), "--dry-run").out
    full = nsledger("install", "--root", str(image), "--dry-run", "--full").out

    summary, _, rest = short.partition("\n\n")
    assert len(summary.splitlines()) <= 10
    for word in ("edits:", "keys:", "adds:", "runs:", "restarts:", "kubelet:", "undo:"):
        assert word in summary
    assert "container-runtime-endpoint" in summary
    assert "/var/lib/nsledger/hook/launch.py  " in rest
    assert "def " not in short
    assert "def " in full
    assert {path for path in image.rglob("*") if path.is_file()} == before


def test_a_dry_run_needs_no_root_and_says_what_it_could_not_read(tmp_path: Path) -> None:
    """On this machine: whatever runtime it has, the plan or a plain error comes, never a trace."""
    done = subprocess.run(
        [
            *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"),
            *(sys.executable, "-m", "nsledger.cli.main", "install", "--dry-run"),
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(programs.SHIM), "PYTHONDONTWRITEBYTECODE": "1"},
    )

    assert done.returncode == 0, done.stderr
    assert "restarts:" in done.stdout or "nothing to do" in done.stdout


def test_what_may_not_be_read_is_noted_and_as_if_it_were_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable: list[str] = []

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("nsledger.node.root.os.open", refuse)

    assert Host(str(tmp_path), unreadable=unreadable).read("/etc/secret") is None
    assert unreadable == ["/etc/secret"]
    with pytest.raises(PermissionError):
        Host(str(tmp_path)).read("/etc/secret")


@pytest.mark.parametrize(
    "place", ["/root/.local/bin/nsledger", "/home/a/venv/bin/nsledger", "/tmp/v/nsledger"]
)
def test_a_program_that_the_units_sandbox_hides_is_refused(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [place])
    monkeypatch.setattr(Path, "exists", lambda _: True)
    monkeypatch.setattr("nsledger.cli.installation.survey", lambda *_, **__: None)

    with pytest.raises(HiddenProgramError) as caught:
        install(
            dry_run=True,
            only=(),
            root="/",
            containerd="containerd",
            containerd_config="",
            probe=False,
        )

    assert "/opt" in caught.value.hint


def test_an_uninstallation_of_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="found no installation"):
        uninstall(root=str(tmp_path), purge=False)
