"""The units are what systemd takes, closed as far as their work allows, and name this program."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from nsledger.node.unit_templates import drop_in, shim_files, template

UNITS = ("nsledger.service", "nsledger-verify.service", "nsledger-verify.timer")
SERVICES = ("nsledger.service", "nsledger-verify.service")
MOST_EXPOSURE = 4.0
MEASURED_BY = "252"
"""The systemd whose figures the README has; another weighs differently."""

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="not installed: systemd"
)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], check=False, capture_output=True, text=True
    )


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units as they are installed, for a program that is there."""
    for path, data in shim_files("/bin/true", lambda _: False).items():
        (tmp_path / Path(path).name).write_bytes(data)
    return tmp_path


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say_against_a_unit(units: Path, name: str) -> None:
    done = analyze("verify", "--man=no", str(units / name))

    # Of this machine's other units it may have something to say.
    assert [line for line in done.stderr.splitlines() if "nsledger" in line] == []


@needs_systemd
@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_closed_as_far_as_its_work_allows(units: Path, name: str) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(units / name))

    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) <= MOST_EXPOSURE
    readme = (Path(__file__).parents[3] / "systemd/README.md").read_text()
    if analyze("--version").stdout.startswith(f"systemd {MEASURED_BY} "):
        assert f"{found[1]} of `{name}`" in readme


def test_the_units_name_the_program_that_is_installed() -> None:
    files = shim_files("/opt/venv/bin/nsledger", lambda _: False)

    commands = [line for data in files.values() for line in data.decode().splitlines()]
    starts = [line for line in commands if line.startswith("ExecStart=")]
    assert starts == [
        "ExecStart=/opt/venv/bin/nsledger serve",
        "ExecStart=/opt/venv/bin/nsledger verify",
    ]


def test_the_daemons_reload_needs_no_program_but_a_shell() -> None:
    reload = [line for line in template("nsledger.service").decode().splitlines() if "HUP" in line]

    # kill(1) is procps's, which a small node need not have.
    assert reload == ["ExecReload=/bin/sh -c 'kill -HUP $MAINPID'"]


def test_what_a_package_brought_is_not_hidden_by_a_copy() -> None:
    assert shim_files("/usr/bin/nsledger", lambda _: True) == {}


def test_drop_ins_go_where_systemd_looks() -> None:
    path, text = drop_in("kubelet.service.conf")

    assert path == "/etc/systemd/system/kubelet.service.d/50-nsledger.conf"
    assert b"After=nsledger.service" in text


def test_the_kubelet_needs_the_shim_and_containerd_does_not_take_it_along() -> None:
    service = template("nsledger.service").decode()
    directives = dict(
        line.split("=", 1) for line in service.splitlines() if "=" in line and line[0] != "#"
    )

    assert directives["Before"] == "kubelet.service"
    assert "containerd.service" in directives["After"]
    assert not {"Requires", "BindsTo", "PartOf", "Requisite"} & directives.keys()
    assert directives["Restart"] == "always"
    assert directives["Type"] == "notify"
    assert "WatchdogSec" in directives


def test_each_directive_that_is_left_open_is_explained() -> None:
    head = template("nsledger.service").decode().partition("[Unit]")[0]

    for word in (
        *("User=", "CAP_SYS_PTRACE", "CAP_CHOWN", "PrivateNetwork=", "ProtectHostname="),
        *("PrivateUsers=", "ProtectProc=", "ProcSubset=", "RestrictAddressFamilies="),
    ):
        assert word in head


def test_the_spool_is_roots_alone_and_made_before_the_first_container() -> None:
    lines = template("nsledger.tmpfiles.conf").decode().splitlines()

    assert [line.split()[:3] for line in lines if not line.startswith("#")] == [
        ["d", "/run/nsledger", "0711"],
        ["d", "/run/nsledger/spool", "0700"],
        ["d", "/var/lib/nsledger", "0711"],
    ]
