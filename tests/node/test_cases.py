"""Nodes from public bug reports: what install and uninstall do, as real containerds read it.

What is in force before and after is asked of `containerd config dump` here, and compared with what
the case needs, not with what the installation says of itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from nsledger.cli.installation import install
from nsledger.errors import NsledgerError
from nsledger.node import manifest as manifests
from nsledger.node import removal
from nsledger.node.containerd import Configuration, UnsupportedConfigurationError
from nsledger.node.containerd_files import GeneratedConfigurationError
from nsledger.node.containerd_plan import OutdoneError
from nsledger.node.containerd_reverse import KeptValueError
from nsledger.node.located import located
from nsledger.node.named import StillNamedError
from nsledger.node.root import Host
from nsledger.node.survey import effective_configuration
from tests.node.field_node import FieldNode, put

OURS = ("/etc/nsledger/", "nsledger.dev/", "/var/lib/nsledger/")
MAIN = "etc/containerd/config.toml"
GENERATIONS = [
    pytest.param(1, marks=pytest.mark.containerd1, id="containerd1"),
    pytest.param(2, marks=pytest.mark.containerd2, id="containerd2"),
]
FIRST = pytest.mark.containerd1
SECOND = pytest.mark.containerd2


def dump(node: FieldNode) -> str:
    runtime = located(node.host, program="containerd", main="", endpoint=None)
    return effective_configuration(node.host, runtime.program, runtime.main)


def handlers(node: FieldNode) -> dict[str, str]:
    """The base spec of each handler that is in force."""
    found = Configuration.parse(dump(node)).handlers
    return {name: handler.base_runtime_spec for name, handler in found.items()}


def nvidia(node: FieldNode) -> dict[str, Any]:
    """What nvidia-ctk adds: the settings of runc that are in force, with a program of its own."""
    handler = Configuration.parse(dump(node)).handlers["runc"].table
    return {**handler, "options": {**handler.get("options", {}), "BinaryName": "/usr/bin/nvidia"}}


def appended(node: FieldNode) -> None:
    """The other tool adds its section behind the file's end."""
    add(node.root / MAIN, nvidia(node), plugin(node))


def plugin(node: FieldNode) -> str:
    version = tomllib.loads((node.root / MAIN).read_text())["version"]
    return "io.containerd.grpc.v1.cri" if version == 2 else "io.containerd.cri.v1.runtime"


def add(file: Path, table: dict[str, Any], section: str) -> None:
    text = {"plugins": {section: {"containerd": {"runtimes": {"nvidia": table}}}}}
    file.write_text(f"{file.read_text()}\n{tomlkit.dumps(text)}")


def in_order(value: Any) -> Any:  # noqa: ANN401 - TOML
    if isinstance(value, dict):
        return {key: in_order(value[key]) for key in sorted(value)}
    return value


def serialised_anew(node: FieldNode) -> None:
    """The other tool reads the file, adds its section, sorts everything and writes it."""
    table = tomllib.loads((node.root / MAIN).read_text())
    runtimes = table.setdefault("plugins", {}).setdefault(plugin(node), {})
    runtimes = runtimes.setdefault("containerd", {}).setdefault("runtimes", {})
    runtimes["nvidia"] = nvidia(node)
    (node.root / MAIN).write_text(tomlkit.dumps(in_order(table)).replace("\n[", "\n\n  ["))


Tool = Callable[[FieldNode], None]
TOOLS = pytest.mark.parametrize("tool", [appended, serialised_anew])


@pytest.mark.parametrize("generation", GENERATIONS)
@TOOLS
def test_a_handler_into_which_our_spec_was_copied_loses_it_and_stays(
    tool: Tool, generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, "plain", generation)
    before = handlers(node)
    node.install()
    tool(node)
    copied = handlers(node)
    assert copied["nvidia"].startswith("/etc/nsledger/")

    node.uninstall()

    assert handlers(node) == {**before, "nvidia": ""}
    assert not any(ours in dump(node) for ours in OURS)
    assert "BinaryName" in dump(node)
    assert not (tmp_path / "etc/nsledger").exists()


@pytest.mark.parametrize("generation", GENERATIONS)
@TOOLS
def test_a_copied_handler_gets_the_admins_own_spec_back(
    tool: Tool, generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, "kind", generation)
    before = handlers(node)
    assert before["runc"] == "/etc/containerd/cri-base.json"
    node.install()
    tool(node)

    node.uninstall()

    assert handlers(node) == {**before, "nvidia": "/etc/containerd/cri-base.json"}


@SECOND
def test_a_copy_in_a_drop_in_of_another_tool_is_found(tmp_path: Path) -> None:
    node = put(tmp_path, "kubeadm-v3", 2)
    node.install()
    theirs = tmp_path / "etc/containerd/conf.d/99-nvidia.toml"
    theirs.write_text("version = 3\n")
    add(theirs, nvidia(node), plugin(node))

    node.uninstall()

    assert handlers(node)["nvidia"] == ""
    assert "nvidia" in theirs.read_text()
    assert not (tmp_path / "etc/nsledger").exists()


@SECOND
def test_a_copy_in_a_file_that_is_written_anew_is_refused_with_nothing_deleted(
    tmp_path: Path,
) -> None:
    node = put(tmp_path, "kubeadm-v3", 2)
    node.install()
    theirs = tmp_path / "etc/containerd/conf.d/99-nvidia.toml"
    theirs.write_text("# Ansible managed\nversion = 3\n")
    add(theirs, nvidia(node), plugin(node))
    installed = node.snapshot()

    with pytest.raises(StillNamedError, match=r"99-nvidia\.toml.*nvidia.*nothing was deleted"):
        node.uninstall()

    assert node.snapshot() == installed


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_base_spec_that_names_our_hook_is_refused_and_everything_stays(
    generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, "plain", generation)
    node.install()
    (spec,) = (tmp_path / "etc/nsledger").glob("*.json")
    (tmp_path / "etc/containerd/copy.json").write_bytes(spec.read_bytes())
    own = {**nvidia(node), "base_runtime_spec": "/etc/containerd/copy.json"}
    add(tmp_path / MAIN, own, plugin(node))
    installed = node.snapshot()

    with pytest.raises(StillNamedError, match=r"copy\.json.*nvidia"):
        node.uninstall()

    assert node.snapshot() == installed


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_key_that_cannot_be_taken_out_is_refused_before_the_kubelet_is_touched(
    generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, "plain", generation)
    node.install()
    (spec,) = (tmp_path / "etc/nsledger").glob("*.json")
    main = tmp_path / MAIN
    main.write_text(f'{main.read_text()}\n[timeouts]\n"x" = "/etc/nsledger/{spec.name}"\n')
    installed = node.snapshot()

    with pytest.raises(KeptValueError, match="timeouts"):
        node.uninstall()

    assert node.snapshot() == installed


@FIRST
def test_what_containerd_refuses_after_the_change_is_put_back(tmp_path: Path) -> None:
    class Refuses(removal.Released):
        def written(self, part: object) -> None:
            if part == "containerd":
                raise NsledgerError("containerd reads them otherwise")

    node = put(tmp_path, "plain", 1)
    node.install()
    installed = node.snapshot()
    kept = manifests.load(node.host)
    assert kept is not None

    with pytest.raises(NsledgerError, match="otherwise"):
        removal.remove(
            node.host,
            removal.prepared(node.host, kept),
            release=Refuses(),
            say=lambda _: None,
        )

    assert node.snapshot() == installed


@FIRST
def test_the_table_of_old_is_a_handler_and_gets_the_hook(tmp_path: Path) -> None:
    node = put(tmp_path, "old-default-runtime", 1)
    before = node.snapshot()

    node.install()

    assert set(handlers(node)) == {"default", "runc"}
    assert len(set(handlers(node).values())) == 1
    assert all(spec.startswith("/etc/nsledger/") for spec in handlers(node).values())
    assert not node.plan().changes
    node.uninstall()
    assert node.snapshot() == before


@FIRST
def test_the_table_for_untrusted_workloads_is_a_handler_too(tmp_path: Path) -> None:
    node = put(tmp_path, "old-default-runtime", 1)
    main = tmp_path / MAIN
    main.write_text(main.read_text().replace("default_runtime", "untrusted_workload_runtime"))

    node.install()

    assert handlers(node)["untrusted"].startswith("/etc/nsledger/")


UNITS = {
    "plain": "ExecStart=/usr/bin/containerd --config /etc/containerd/site.toml\n",
    "equals": "ExecStart=/usr/bin/containerd --config=/etc/containerd/site.toml\n",
    "short": "ExecStart=/usr/bin/containerd -c /etc/containerd/site.toml -l debug\n",
    "variable": (
        "Environment=CONTAINERD_CONFIG=/etc/containerd/site.toml\n"
        "ExecStart=/usr/bin/containerd --config ${CONTAINERD_CONFIG}\n"
    ),
    "words": (
        'Environment="ARGS=--log-level debug --config /etc/containerd/site.toml"\n'
        "ExecStart=/usr/bin/containerd $ARGS\n"
    ),
    "last": "ExecStart=/usr/bin/containerd --config /x.toml --config /etc/containerd/site.toml\n",
}


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("unit", UNITS)
def test_the_file_that_containerds_unit_names_is_the_one(
    unit: str, generation: int, tmp_path: Path
) -> None:
    node = put(tmp_path, "unit-config", generation)
    service = tmp_path / "etc/systemd/system/containerd.service"
    service.write_text(f"[Service]\n{UNITS[unit]}")
    before = node.snapshot()

    node.install()

    assert not (tmp_path / MAIN).exists()
    assert handlers(node)["runc"].startswith("/etc/nsledger/")
    node.uninstall()
    assert node.snapshot() == before


@pytest.mark.parametrize("generation", GENERATIONS)
def test_k0ss_files_are_refused_with_the_place_that_stays(generation: int, tmp_path: Path) -> None:
    node = put(tmp_path, "k0s", generation)
    before = node.snapshot()

    with pytest.raises(GeneratedConfigurationError) as caught:
        node.install()

    assert "/etc/k0s/containerd.d/" in caught.value.hint
    assert "base_runtime_spec" in caught.value.lines
    assert node.snapshot() == before


@FIRST
@pytest.mark.parametrize(
    "head",
    [
        "# File generated by k3s. DO NOT EDIT.",
        "# k0s_managed=true",
        "# Ansible managed",
        "# This file is managed by Puppet.",
        "#\n# Managed by Salt, changes will be overwritten\n#",
        "## Managed with Chef",
    ],
)
def test_what_another_program_writes_anew_is_refused_by_its_head(head: str, tmp_path: Path) -> None:
    node = put(tmp_path, "plain", 1)
    main = tmp_path / MAIN
    main.write_text(f"{head}\n{main.read_text()}")
    before = node.snapshot()

    with pytest.raises(GeneratedConfigurationError) as caught:
        node.install()

    assert caught.value.lines
    assert node.snapshot() == before


@pytest.mark.parametrize("generation", GENERATIONS)
def test_the_lines_that_dry_run_shows_do_what_they_are_for(generation: int, tmp_path: Path) -> None:
    node = put(tmp_path, "plain", generation)
    main = tmp_path / MAIN
    text = main.read_text()
    main.write_text(f"# Ansible managed\n{text}")
    with pytest.raises(GeneratedConfigurationError) as caught:
        node.install()
    lines = caught.value.lines

    # The admin merges them into the template: tables of one name become one.
    merged: Any = tomlkit.parse(main.read_text())
    theirs, ours = merged["plugins"], tomllib.loads(lines)["plugins"]
    for section, value in ours.items():
        for name, keys in value["containerd"]["runtimes"].items():
            theirs[section]["containerd"]["runtimes"][name].update(keys)
    main.write_text(tomlkit.dumps(merged))

    node.install()
    assert handlers(node)["runc"].startswith("/etc/nsledger/")
    assert main.read_text() == tomlkit.dumps(merged)


@pytest.mark.parametrize("generation", GENERATIONS)
@pytest.mark.parametrize("name", ["c07-wild-dir", "c07b-hidden", "c08-later-import"])
def test_imports_are_found_as_go_finds_them(name: str, generation: int, tmp_path: Path) -> None:
    node = put(tmp_path, name, generation)
    spec = tmp_path / "etc/containerd/site-spec.json"
    if spec.exists() and not spec.read_text().strip():
        pytest.skip("the case has no spec")
    before = node.snapshot()

    node.install()

    assert handlers(node)
    assert all(spec.startswith("/etc/nsledger/") for spec in handlers(node).values())
    assert not node.plan().changes
    node.uninstall()
    assert node.snapshot() == before


@SECOND
def test_a_file_that_nothing_can_be_read_behind_is_named(tmp_path: Path) -> None:
    node = put(tmp_path, "kubeadm-v3", 2)
    nested = tmp_path / "etc/containerd/conf.d/10-more.toml"
    nested.parent.mkdir()
    nested.write_text("version = 3\nimports = ['/etc/containerd/last.toml']\n")
    last = tmp_path / "etc/containerd/last.toml"
    last.write_text(
        "version = 3\n[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]\n"
        "pod_annotations = ['a/*']\n"
    )
    before = node.snapshot()

    with pytest.raises(OutdoneError, match=r"last\.toml"):
        node.install()

    assert node.snapshot() == before


@FIRST
def test_a_byte_order_mark_that_containerd_1_reads_stays(tmp_path: Path) -> None:
    node = put(tmp_path, "plain", 1)
    main = tmp_path / MAIN
    main.write_bytes(b"\xef\xbb\xbf" + main.read_bytes())
    before = node.snapshot()

    node.install()

    assert main.read_bytes().startswith(b"\xef\xbb\xbf")
    assert handlers(node)["runc"].startswith("/etc/nsledger/")
    node.uninstall()
    assert node.snapshot() == before


@FIRST
def test_the_remedy_for_an_old_version_is_one_that_works(tmp_path: Path) -> None:
    node = put(tmp_path, "old-version", 1)
    with pytest.raises(UnsupportedConfigurationError) as caught:
        node.install()
    assert "`containerd config dump`" in caught.value.hint

    (tmp_path / MAIN).write_text(dump(node))

    node.install()
    assert handlers(node)["runc"].startswith("/etc/nsledger/")


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_dry_run_shows_the_lines_for_the_place_that_stays(
    generation: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = put(tmp_path, "k0s", generation)
    monkeypatch.setattr(Host, "at", lambda *_, **__: node.host)

    with pytest.raises(GeneratedConfigurationError, match="k0s writes at each start"):
        install(
            dry_run=True,
            only=(),
            root=str(tmp_path),
            containerd="containerd",
            containerd_config="",
            probe=False,
        )

    shown = capsys.readouterr().out
    assert "/etc/k0s/containerd.d/" in shown
    assert "base_runtime_spec = " in shown
