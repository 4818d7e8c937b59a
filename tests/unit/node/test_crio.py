"""CRI-O's hooks directories: where our hook goes, and how it comes off again."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.installation import install, uninstall
from nsledger.node import crio
from nsledger.node.located import located
from nsledger.node.named import StillNamedError, require_no_hooks_entry
from nsledger.node.root import Done, Host

CASE = Path(__file__).parents[2] / "node/field/crio"
STOCK = "/usr/share/containers/oci/hooks.d"
CONF = "etc/crio/crio.conf"


@pytest.fixture
def node(tmp_path: Path) -> Host:
    """A stock CRI-O of kubeadm."""
    shutil.copytree(CASE, tmp_path, dirs_exist_ok=True)
    return Host.at(str(tmp_path))


def said(host: Host, name: str, text: str) -> None:
    path = Path(host.root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def hooks(*directories: str) -> str:
    return f"[crio.runtime]\nhooks_dir = {json.dumps(directories)}\n"


@pytest.mark.parametrize(
    ("files", "where", "is_added"),
    [
        ({}, STOCK, False),
        ({CONF: ""}, STOCK, False),
        ({CONF: "# [crio.runtime]\n# hooks_dir = ['/x']\n"}, STOCK, False),
        ({CONF: hooks("/opt/hooks")}, "/opt/hooks", False),
        ({CONF: hooks(STOCK, "/etc/containers/oci/hooks.d")}, "/etc/containers/oci/hooks.d", False),
        ({"etc/crio/crio.conf.d/10-x.conf": hooks("/a")}, "/a", False),
        (
            {
                "etc/crio/crio.conf.d/10-x.conf": hooks("/a"),
                "etc/crio/crio.conf.d/20-y.conf": hooks("/b"),
            },
            "/b",
            False,
        ),
        ({CONF: hooks()}, "/etc/containers/oci/hooks.d", True),
    ],
)
def test_the_hook_goes_where_crio_looks(
    node: Host, files: dict[str, str], where: str, is_added: bool
) -> None:
    for name, text in files.items():
        said(node, name, text)

    place = crio.hook_place(node, crio.look(node))

    assert place.path == f"{where}/nsledger.json"
    assert (place.drop_in is not None) == is_added
    assert place.is_new


def test_a_directory_that_is_there_needs_no_restart(node: Host) -> None:
    Path(node.root + STOCK).mkdir(parents=True)

    assert not crio.hook_place(node, crio.look(node)).is_new


def test_a_drop_in_lists_theirs_and_ours_and_is_the_last_word(
    node: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(node, CONF, hooks(STOCK))
    monkeypatch.setattr(
        Host,
        "refusal_to_write",
        lambda _, path: PermissionError() if path.startswith("/usr") else None,
    )

    place = crio.hook_place(node, crio.look(node))

    assert place.path == "/etc/containers/oci/hooks.d/nsledger.json"
    assert place.drop_in is not None
    runtime = tomllib.loads(place.drop_in.decode())["crio"]["runtime"]
    assert runtime == {"hooks_dir": [STOCK, "/etc/containers/oci/hooks.d"]}
    said(node, "etc/crio/crio.conf.d/zzz.conf", hooks("/last"))
    monkeypatch.setattr(Host, "refusal_to_write", lambda *_: PermissionError())
    with pytest.raises(crio.CrioOutdoneError, match=r"zzz\.conf"):
        crio.hook_place(node, crio.look(node))


def test_what_crio_itself_says_is_compared_with_its_files(
    node: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Done(("crio",), 0, hooks("/by/a/flag"), "")
    monkeypatch.setattr(Host, "run", lambda *_: told)

    with pytest.raises(crio.CrioRefusedError, match="/by/a/flag"):
        crio.look(node)

    told = Done(("crio",), 0, hooks(STOCK), "")
    assert crio.look(node).in_force == (STOCK,)


def test_the_socket_is_where_listen_says(node: Host) -> None:
    said(node, "etc/crio/crio.conf.d/10-api.conf", '[crio.api]\nlisten = "/run/other.sock"\n')

    assert crio.look(node).socket == "/run/other.sock"


@pytest.mark.parametrize(
    ("endpoint", "is_crio"),
    [
        ("unix:///var/run/crio/crio.sock", True),
        ("unix:///run/containerd/containerd.sock", False),
        (None, False),
    ],
)
def test_on_a_node_with_both_the_kubelets_endpoint_decides(
    node: Host, endpoint: str | None, is_crio: bool
) -> None:
    said(node, "usr/bin/containerd", "")

    assert located(node, program="containerd", main="", endpoint=endpoint).is_crio is is_crio


@pytest.mark.root
def test_installed_it_fires_for_crio_alone_and_uninstall_leaves_the_directory(
    node: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsledger.node.survey.require_interpreter", lambda _: None)
    monkeypatch.setattr("nsledger.node.apply._run", lambda *_: None)
    before = snapshot(Path(node.root))

    code = install(
        dry_run=False,
        only=(),
        root=node.root,
        containerd="containerd",
        containerd_config="",
        probe=False,
    )

    assert code == exit_codes.OK
    entry = json.loads(Path(f"{node.root}{STOCK}/nsledger.json").read_text())
    assert entry["when"] == {"annotations": {r"^io\.container\.manager$": "^cri-o$"}}
    assert not Path(node.root, "etc/containers").exists()
    settings = tomllib.loads(Path(node.root, "etc/nsledger/nsledger.toml").read_text())
    assert settings["upstream"].endswith("/crio/crio.sock")
    assert uninstall(root=node.root, purge=False) == exit_codes.OK
    assert snapshot(Path(node.root)) == before
    assert Path(node.root + STOCK).is_dir()


def test_another_entry_that_names_our_hook_is_found(node: Host) -> None:
    said(node, f"{STOCK[1:]}/copy.json", '{"hook": {"path": "/var/lib/nsledger/hook/launch.py"}}')

    with pytest.raises(StillNamedError, match=r"copy\.json"):
        require_no_hooks_entry(node, [])
    require_no_hooks_entry(node, [f"{STOCK}/copy.json"])


def snapshot(root: Path) -> dict[str, bytes]:
    return {
        str(one.relative_to(root)): one.read_bytes() for one in root.rglob("*") if one.is_file()
    }
