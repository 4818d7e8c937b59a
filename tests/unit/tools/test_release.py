from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from tools import release

PROJECT = '[project]\nname = "x"\nversion = "0.1.0"\n'
CHANGES = "# Changelog\n\n## Unreleased\n\n### Added\n- One.\n\n## 0.1.0 - 2026-01-01\n\n- Begun.\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGES)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/run.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "begin"]):
        subprocess.run(["git", *words], check=True)
    return tmp_path


def test_a_release_moves_the_version_and_the_changes_and_has_a_tag(tree: Path) -> None:
    assert release.main(["0.2.0"]) == 0

    assert release.version_of(tree) == "0.2.0"
    changes = (tree / "CHANGELOG.md").read_text()
    assert changes.startswith("# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2")
    assert changes.index("- One.") < changes.index("## 0.1.0")
    tags = subprocess.run(["git", "tag"], check=True, capture_output=True, text=True).stdout
    assert tags == "v0.2.0\n"


@pytest.mark.parametrize("version", ["", "2", "v0.2.0", "0.1.0", "0.2.0; rm"])
def test_what_is_no_new_version_changes_nothing(tree: Path, version: str) -> None:
    assert release.main([version]) == 1

    assert (tree / "pyproject.toml").read_text() == PROJECT
    assert (tree / "CHANGELOG.md").read_text() == CHANGES


def test_a_tree_with_changes_is_not_released(tree: Path) -> None:
    (tree / "other").touch()

    assert release.main(["0.2.0"]) == 1


def test_without_changes_there_is_nothing_to_release(tree: Path) -> None:
    assert release.main(["0.2.0"]) == 0
    assert release.main(["0.3.0"]) == 1


def test_what_was_built_is_listed_with_its_commit(tree: Path) -> None:
    dist = tree / "dist"
    dist.mkdir()
    (dist / "x.whl").write_bytes(b"wheel")

    assert release.main(["--sums", str(dist)]) == 0

    digest = hashlib.sha256(b"wheel").hexdigest()
    assert (dist / "SHA256SUMS").read_text() == f"{digest}  x.whl\n"
    told = json.loads((dist / "provenance.json").read_text())
    assert told["sha256"] == {"x.whl": digest}
    assert len(told["commit"]) == 40
