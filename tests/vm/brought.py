"""What a test run brings to the machine, as a tar: packages, images, programs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.images import image_layout

ROOT: Final = Path(__file__).parents[2]
GUEST: Final = Path(__file__).with_name("guest")
_DEBIAN_13S_PYTHON: Final = "13"
_IMAGES: Final = ("docker.io/local/pause:1", "docker.io/local/app:1")
_LIBRARIES: Final = ("google", "grpc", "typing_extensions.py")
"""What the programs of `guest/` import; nsledger's own copies go with its package."""


class NoPackageError(Exception):
    """The package could not be built."""


@dataclass(frozen=True, slots=True)
class Brought:
    """Where the tar is, and what is in it."""

    tar: Path
    version: str
    """Of the package under test, `current.deb`."""
    next_version: str
    """Of `next.deb`, the same once more: what comes after the current version is not known yet."""


def bring(directory: Path) -> Brought:
    """Build the package, and all else into a tar in `directory`.

    Raises:
        NoPackageError: with what the build said.
    """
    tree = directory / "brought"
    shutil.copytree(GUEST, tree, ignore=shutil.ignore_patterns("__pycache__"))
    current = _build(directory)
    shutil.copy(current, tree / "current.deb")
    version = _printed("dpkg-deb", "--field", current, "Version").strip()
    contents = directory / "contents"
    _printed("dpkg-deb", "--raw-extract", current, contents)
    _take_demo_and_libraries(tree, contents / "usr/lib/nsledger/lib")
    next_version = f"{version}+next"
    _as_version(contents, version, next_version)
    _printed(
        "dpkg-deb", "--build", "--root-owner-group", "-Zgzip", "-z1", contents, tree / "next.deb"
    )
    busybox = shutil.which("busybox")
    if busybox is None:
        raise NoPackageError("not installed: busybox-static")
    (tree / "images.tar").write_bytes(image_layout(_IMAGES, Path(busybox)))
    tar = directory / "brought.tar"
    _printed(
        "tar", "--create", f"--file={tar}", "--owner=0", "--group=0", f"--directory={tree}", "."
    )
    return Brought(tar, version, next_version)


def _build(directory: Path) -> Path:
    built = subprocess.run(
        [ROOT / "tools/build-deb", directory, _DEBIAN_13S_PYTHON],
        check=False,
        capture_output=True,
        text=True,
    )
    if built.returncode:
        raise NoPackageError(built.stderr)
    return Path(built.stdout.splitlines()[-1])


def _take_demo_and_libraries(tree: Path, libraries: Path) -> None:
    (tree / "demo").mkdir()
    for name in ("__init__.py", "cri.py", "pods.py"):
        shutil.copy(ROOT / "demo" / name, tree / "demo")
    (tree / "lib").mkdir()
    for name in _LIBRARIES:
        source = libraries / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tree / "lib" / name)


def _as_version(contents: Path, version: str, other: str) -> None:
    """Make the unpacked package `contents` of `version` one of `other`."""
    control = contents / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {version}\n", f"Version: {other}\n"))
    libraries = contents / "usr/lib/nsledger/lib"
    info = (libraries / f"nsledger-{version}.dist-info").rename(
        libraries / f"nsledger-{other}.dist-info"
    )
    metadata = info / "METADATA"
    metadata.write_text(
        metadata.read_text().replace(f"\nVersion: {version}\n", f"\nVersion: {other}\n")
    )
    (contents / "DEBIAN/md5sums").unlink()


def _printed(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
