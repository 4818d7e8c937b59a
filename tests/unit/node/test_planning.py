from __future__ import annotations

from pathlib import Path

from nsledger.node.changes import Part, Plan
from nsledger.node.crio import Crio
from nsledger.node.kubelet import KubeletNotFoundError
from nsledger.node.located import Located
from nsledger.node.manifest import Manifest
from nsledger.node.planning import plan
from nsledger.node.root import Host
from nsledger.node.settings import ENDPOINT
from nsledger.node.survey import Survey

UNITS = ("nsledger.service", "nsledger-verify.timer")
BROUGHT_BY_A_PACKAGE = (
    "usr/lib/systemd/system/nsledger.service",
    "usr/lib/systemd/system/nsledger-verify.service",
    "usr/lib/systemd/system/nsledger-verify.timer",
    "usr/lib/tmpfiles.d/nsledger.conf",
)


def planned(root: Path, manifest: Manifest | None = None) -> Plan:
    """The daemon's part on a CRI-O node below `root` where systemd runs."""
    found = Survey(
        runtime=Located(is_crio=True, program="", main="", service="crio"),
        containerd=None,
        crio=Crio(hooks_dirs=(), stated="", in_force=(), socket="/run/crio/crio.sock"),
        dump="",
        specs={},
        spec_of={},
        kubelet=KubeletNotFoundError(endpoint=ENDPOINT),
        systemd_runs=True,
        has_systemctl=True,
        manifest=manifest,
    )
    host = Host(root=str(root))
    return plan(host, found, program="/usr/bin/nsledger", parts=frozenset({Part.SHIM}))


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # The admin's nsledger.toml agrees with the plan; of the others only the names count.
        path.write_text('upstream = "/run/crio/crio.sock"\n')


def test_units_that_a_package_brought_are_enabled_and_started_all_the_same(tmp_path: Path) -> None:
    # The admin has a nsledger.toml too, so there is no file to write at all.
    put(tmp_path, *BROUGHT_BY_A_PACKAGE, "etc/nsledger/nsledger.toml")

    (phase,) = planned(tmp_path).phases

    assert phase.files == ()
    commands = [command.argv for command in phase.commands]
    assert ("systemctl", "enable", *UNITS) in commands
    assert ("systemctl", "restart", *UNITS) in commands
    assert ("systemctl", "disable", *UNITS) in [command.argv for command in phase.undo_before]


def test_a_daemon_that_was_installed_is_not_started_again(tmp_path: Path) -> None:
    put(tmp_path, *BROUGHT_BY_A_PACKAGE, "etc/nsledger/nsledger.toml")
    (phase,) = planned(tmp_path).phases

    again = planned(tmp_path, Manifest().with_phase(phase))

    assert again.phases == ()
