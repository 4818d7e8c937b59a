"""The wheel as it is built: what is in it, and that it runs where nothing else of ours is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from nsledger.node.changes import Part
from tests.synthetic_node import example_node

ROOT = Path(__file__).parents[2]
ASSETS = {path.name for path in (ROOT / "shim/nsledger/render/assets").iterdir()}
SYSTEMD = {path.name for path in (ROOT / "systemd").iterdir()}

DUMP = """
version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
"""
NAMESPACES = [{"type": type_} for type_ in ("pid", "ipc", "uts", "mount", "network")]
SPEC = {"process": {"cwd": "/"}, "root": {"path": "x"}, "mounts": [{"destination": "/proc"}]}

IMAGE = {
    "usr/bin/containerd": "#!/bin/sh\ncat /dump.toml\n",
    "usr/bin/ctr": "#!/bin/sh\ncat /spec.json\n",
    "usr/bin/python3": "#!/bin/sh\n",
    "dump.toml": DUMP,
    "spec.json": json.dumps({**SPEC, "linux": {"namespaces": NAMESPACES}}),
}


def build(target: str, directory: Path) -> Path:
    """A distribution, built from the tree."""
    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    subprocess.run(hatchling, cwd=ROOT, check=True, capture_output=True)
    (built,) = directory.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; what it depends on is lent by this one."""
    directory = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    site = next((directory / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)  # noqa: S202 - our own, just built
    # A path from a .pth file is not searched for .pth files: our own tree is not lent along.
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))
    return directory / "bin/python"


def run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-I", "-m", "nsledger.cli.main", *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
    )


def image(directory: Path) -> Path:
    """The root of a node without anything but a shell and a containerd that answers."""
    busybox = shutil.which("busybox")
    assert busybox is not None
    (directory / "bin").mkdir(parents=True)
    shutil.copy(busybox, directory / "bin/busybox")
    for applet in ("sh", "cat"):
        (directory / "bin" / applet).symlink_to("busybox")
    for path, text in IMAGE.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    return directory


def test_the_wheel_holds_what_a_node_needs_and_no_tests(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {f"nsledger/systemd/{name}" for name in SYSTEMD} <= names
    assert {f"nsledger/render/assets/{name}" for name in ASSETS} <= names
    assert {"nsledger_hook/hook.py", "nsledger_hook/launch.py", "nsledger/py.typed"} <= names
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"nsledger", "nsledger_hook"}


def test_a_wheel_of_make_wheel_has_man_pages_and_completions(tmp_path: Path) -> None:
    """On a copy of the tree: what is made stands in its build directory."""
    names = ("shim", "hooks", "systemd", "tools", "LICENSE", "README.md", "pyproject.toml")
    for name in (*names, "hatch_build.py"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for place, text in {"man/nsledger.1": ".TH", "completions/bash/nsledger": "complete"}.items():
        (tmp_path / "build" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "build" / place).write_text(text)

    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(hatchling, cwd=tmp_path, check=True, capture_output=True)

    (built,) = (tmp_path / "dist").iterdir()
    names_in_it = "\n".join(zipfile.ZipFile(built).namelist())
    assert "data/share/man/man1/nsledger.1" in names_in_it
    assert "data/share/bash-completion/completions/nsledger" in names_in_it


def test_the_source_distribution_can_be_built_and_tested_from(tmp_path: Path) -> None:
    with tarfile.open(build("sdist", tmp_path)) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        *("Makefile", "pyproject.toml", "systemd/nsledger.service", "hooks/nsledger_hook/hook.py"),
        *("tests/conftest.py", "demo/node.py", "tools/build-deb", "packaging/debian/control.in"),
    } <= names


def test_the_installed_wheel_runs(python: Path) -> None:
    done = run(python, "--help")

    assert (done.returncode, done.stderr) == (0, "")
    assert "install" in done.stdout


def test_the_installed_wheel_draws_a_page(python: Path, tmp_path: Path) -> None:
    ledger = example_node().write(tmp_path / "ledger")

    done = run(python, "report", "--ledger", str(ledger))

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("</html>\n")


@pytest.mark.root
@pytest.mark.containerd1
def test_the_installed_wheel_shows_and_makes_an_image(python: Path, tmp_path: Path) -> None:
    root = image(tmp_path / "image")
    before = sorted(root.rglob("*"))

    shown = run(python, "install", "--root", str(root), "--dry-run", "--full")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "+ExecStart=/usr/bin/nsledger serve" in shown.stdout
    for part in (Part.HOOK, Part.SHIM, Part.CONTAINERD):
        assert f"# {part}" in shown.stdout
    assert sorted(root.rglob("*")) == before

    done = run(python, "install", "--root", str(root), "--only", "hook", "--only", "shim")

    assert (done.returncode, done.stderr) == (0, "")
    assert os.path.exists(root / "etc/systemd/system/nsledger.service")
    assert (root / "var/lib/nsledger/hook/hook.py").read_bytes() == (
        ROOT / "hooks/nsledger_hook/hook.py"
    ).read_bytes()
    gone = run(python, "uninstall", "--root", str(root))
    assert (gone.returncode, gone.stderr) == (0, "")
    assert not (root / "etc/systemd").exists()
    assert not (root / "var/lib/nsledger").exists()


KUBELET = {
    "usr/lib/systemd/system/kubelet.service": (
        "[Service]\nExecStart=/usr/bin/kubelet --config=/etc/kubelet.yaml\n"
    ),
    "etc/kubelet.yaml": "kind: KubeletConfiguration\ncontainerRuntimeEndpoint: unix:///theirs\n",
}


@pytest.mark.root
@pytest.mark.containerd1
def test_the_kubelet_is_sent_past_the_shim_and_back_and_the_ledger_outlives_an_uninstallation(
    python: Path, tmp_path: Path
) -> None:
    root = image(tmp_path / "image")
    for path, text in KUBELET.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    ledger = root / "var/lib/nsledger/ledger"

    def endpoint_after(*arguments: str) -> str:
        done = run(python, *arguments, "--root", str(root))
        assert (done.returncode, done.stderr) == (0, "")
        return (root / "etc/kubelet.yaml").read_text().partition("Endpoint: ")[2].strip().strip('"')

    ours, theirs = "unix:///run/nsledger/cri.sock", "unix:///theirs"
    assert endpoint_after("install", "--only", "kubelet") == ours
    assert endpoint_after("bypass") == theirs
    assert endpoint_after("bypass", "--back") == ours
    ledger.mkdir(parents=True)
    (ledger / "00000000000000000001.jsonl").touch()
    assert endpoint_after("uninstall") == theirs
    assert (root / "etc/kubelet.yaml").read_text() == KUBELET["etc/kubelet.yaml"]
    assert list(ledger.iterdir())
    assert endpoint_after("uninstall", "--purge") == theirs
    assert not (root / "var/lib/nsledger").exists()
    again = run(python, "bypass", "--root", str(root))
    assert (again.returncode, again.stdout) == (2, "")
    assert "found no installation" in again.stderr
