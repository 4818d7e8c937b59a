"""The Debian package: whole by itself, harmless until asked, and an upgrade keeps what was kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

UNITS = ("nsledger.service", "nsledger-verify.service", "nsledger-verify.timer")

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="not installed: dpkg"),
]


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def build(directory: Path, *minor: str) -> Path:
    """The package; its dependencies come from the package index."""
    built = subprocess.run(
        [ROOT / "tools/build-deb", directory, *minor],
        check=False,
        capture_output=True,
        text=True,
    )
    if built.returncode and "No matching distribution" in built.stderr:
        pytest.skip("no package index")
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine's Python."""
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def tree(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the package puts on a node."""
    directory = tmp_path_factory.mktemp("tree")
    output("dpkg-deb", "-x", deb, directory)
    return directory


def dpkg(root: Path, *arguments: str | Path) -> None:
    """dpkg on a root of its own; the scripts run outside of it and are told so (DPKG_ROOT)."""
    (root / "var/lib/dpkg/info").mkdir(parents=True, exist_ok=True)
    (root / "var/lib/dpkg/updates").mkdir(exist_ok=True)
    (root / "var/lib/dpkg/status").touch()
    output("dpkg", f"--root={root}", "--force-depends", "--force-script-chrootless", *arguments)


def test_it_runs_with_the_machines_python_and_its_own_dependencies(tree: Path) -> None:
    program = tree / "usr/bin/nsledger"

    assert output(program, "--version").startswith("nsledger ")
    assert "ExecStart" not in output(program, "doctor", "--help")
    assert (tree / "usr/lib/nsledger/lib/nsledger_hook/hook.py").exists()
    assert (tree / "usr/lib/nsledger/lib/nsledger/render/assets/page.html").exists()


def test_a_package_for_another_python_says_so_and_has_its_modules(tmp_path: Path) -> None:
    deb = build(tmp_path, "13")

    assert "python3 (>= 3.13), python3 (<< 3.14)" in output("dpkg-deb", "--field", deb, "Depends")
    modules = [line for line in output("dpkg-deb", "-c", deb).splitlines() if ".cpython-" in line]
    assert modules
    assert [line for line in modules if ".cpython-313-" not in line] == []


def test_it_has_the_units_and_an_example_of_the_configuration_alone(tree: Path) -> None:
    found = {path.name for path in (tree / "usr/lib/systemd/system").iterdir()}

    assert found == set(UNITS)
    assert (tree / "usr/lib/tmpfiles.d/nsledger.conf").exists()
    # Nothing of a node changes before `nsledger install`.
    assert [path.name for path in (tree / "etc").rglob("*") if path.is_file()] == [
        "nsledger.toml.example"
    ]


def test_it_brings_what_a_person_looks_for(tree: Path) -> None:
    pages = {path.name for path in (tree / "usr/share/man/man1").iterdir()}
    assert {"nsledger.1.gz", "nsledger-install.1.gz", "nsledger-whois.1.gz"} <= pages
    for name in (
        "bash-completion/completions/nsledger",
        "zsh/vendor-completions/_nsledger",
        "fish/vendor_completions.d/nsledger.fish",
        "doc/nsledger/runbook.md",
        "doc/nsledger/copyright",
    ):
        assert (tree / "usr/share" / name).read_text().strip()
    example = (tree / "etc/nsledger/nsledger.toml.example").read_text()
    assert "upstream" in example
    done = subprocess.run(
        [tree / "usr/share/nsledger/verify_ledger.py"], check=False, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert done.returncode != 0


def test_its_name_says_the_distribution_and_it_brings_no_second_runtime(deb: Path) -> None:
    minor = sys.version_info[1] if Path(sys.base_prefix) == Path("/usr") else None
    known = {11: "debian12", 12: "ubuntu24.04", 13: "debian13"}
    assert deb.name.split("_")[2] in ({known[minor]} if minor in known else set(known.values()))
    assert deb.stat().st_size <= 12 << 20
    assert output("dpkg-deb", "--field", deb, "Recommends").strip() == ""
    assert "containerd" in output("dpkg-deb", "--field", deb, "Suggests")


@pytest.mark.skipif(shutil.which("lintian") is None, reason="not installed: lintian")
def test_lintian_finds_no_error(deb: Path) -> None:
    done = subprocess.run(
        ["lintian", "--allow-root", "--fail-on", "error", deb],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_nothing_in_it_names_the_place_where_it_was_built(tree: Path, deb: Path) -> None:
    for path in (tree / "usr/lib/nsledger/lib").rglob("*.dist-info/*"):
        if path.is_file():
            assert str(ROOT).encode() not in path.read_bytes()
    assert "root/root" in output("dpkg-deb", "-c", deb).splitlines()[0]


def test_an_upgrade_and_a_removal_keep_ledger_and_configuration_and_a_purge_does_not(
    deb: Path, tmp_path: Path
) -> None:
    dpkg(tmp_path, "-i", deb)
    kept = [
        tmp_path / "var/lib/nsledger/ledger/00000000000000000001.jsonl",
        tmp_path / "etc/nsledger/nsledger.toml",
    ]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")

    dpkg(tmp_path, "-i", deb)
    assert [path.read_text() for path in kept] == ["kept", "kept"]
    dpkg(tmp_path, "--remove", "nsledger")
    assert [path.read_text() for path in kept] == ["kept", "kept"]
    assert not (tmp_path / "usr/bin/nsledger").exists()
    dpkg(tmp_path, "--purge", "nsledger")

    assert not (tmp_path / "var/lib/nsledger").exists()
    assert not (tmp_path / "etc/nsledger").exists()


def test_a_removal_takes_nsledger_off_the_node_first_and_refuses_if_it_cannot(deb: Path) -> None:
    script = output("dpkg-deb", "-I", deb, "prerm")

    assert "set -e" in script
    assert script.index("nsledger uninstall") < script.index("__pycache__")
