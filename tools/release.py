"""A release: `python -m tools.release VERSION` writes version, changelog, commit and tag.

`python -m tools.release --sums dist` then lists what was built: SHA256SUMS, and provenance.json
with the commit, the version and the tools that it was built with. The version stands in
pyproject.toml and nowhere else.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")


def prepare(root: Path, version: str, day: str) -> None:
    """Write `version` into pyproject.toml, and move what is unreleased under it.

    Raises:
        ValueError: it is no version, not a new one, or nothing is unreleased.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"found {version!r}, needed a version such as 0.2.0")
    project, changelog = root / "pyproject.toml", root / "CHANGELOG.md"
    text, changes = project.read_text(encoding="utf-8"), changelog.read_text(encoding="utf-8")
    before, unreleased, rest = changes.partition("## Unreleased\n")
    if not unreleased or not rest.partition("\n## ")[0].strip():
        raise ValueError("CHANGELOG.md: found nothing under Unreleased, needed what has changed")
    if f"\n## {version} " in changes:
        raise ValueError(f"CHANGELOG.md: found {version} already, needed a new version")
    text, count = re.subn(r'(?m)^version = ".*"$', f'version = "{version}"', text, count=1)
    if count != 1:
        raise ValueError("pyproject.toml: found no version")
    project.write_text(text, encoding="utf-8")
    changelog.write_text(f"{before}## Unreleased\n\n## {version} - {day}\n{rest}", encoding="utf-8")


def write_sums(directory: Path, *, commit: str, version: str) -> None:
    """SHA256SUMS and provenance.json of the files in `directory`."""
    built = sorted(path for path in directory.iterdir() if path.suffix in {".whl", ".gz", ".deb"})
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built}
    lines = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    (directory / "SHA256SUMS").write_text(lines, encoding="ascii")
    provenance = {
        "version": version,
        "commit": commit,
        "built": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "requirements": hashlib.sha256(Path("requirements/run.txt").read_bytes()).hexdigest(),
        "sha256": sums,
    }
    (directory / "provenance.json").write_text(json.dumps(provenance, indent=2) + "\n", "utf-8")


def version_of(root: Path) -> str:
    """The one version."""
    found = re.search(r'(?m)^version = "(.*)"$', (root / "pyproject.toml").read_text("utf-8"))
    if found is None:
        raise ValueError("pyproject.toml: found no version")
    return found[1]


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def release(root: Path, version: str) -> None:
    """Prepare, commit and tag `version`.

    Raises:
        ValueError: the tree has changes, or what `prepare` raises.
    """
    if _git("status", "--porcelain"):
        raise ValueError("found changes that are not committed, needed a clean tree")
    prepare(root, version, datetime.now(UTC).strftime("%Y-%m-%d"))
    _git("commit", "-qam", f"release: {version}")
    _git("tag", "-a", f"v{version}", "-m", f"nsledger {version}")


def main(arguments: list[str]) -> int:
    """Do the step that is asked for; the exit status."""
    root = Path.cwd()
    try:
        match arguments:
            case ["--sums", directory]:
                commit, version = _git("rev-parse", "HEAD"), version_of(root)
                write_sums(Path(directory), commit=commit, version=version)
            case [version]:
                release(root, version)
            case _:
                sys.stderr.write("release: needed VERSION, or --sums DIRECTORY\n")
                return 2
    except (ValueError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"release: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
