"""The drop-in gives named handlers our three keys, and whatever else is in force stays so."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from nsledger.cri.annotations import PREFIX
from nsledger.node.containerd import (
    ANNOTATIONS,
    Configuration,
    RuntimeHandler,
    UnknownHandlerError,
    UnsupportedConfigurationError,
    drop_in,
)

V2 = """
version = 2
imports = ["/etc/containerd/conf.d/*.toml"]

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "registry.k8s.io/pause:3.6"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"

[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = ""
pod_annotations = ["io.kubernetes.cri-o.*"]
container_annotations = []

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = true
BinaryName = ""

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]
runtime_type = "io.containerd.kata.v2"

[plugins."io.containerd.runtime.v1.linux"]
shim = "containerd-shim"
"""

V3 = """
version = 3

[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'runc'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
container_annotations = ['nsledger.dev/*']

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = true
"""

SPEC = "/etc/nsledger/base-runtime-spec.json"


def added(dump: str, *handlers: str) -> dict[str, Any]:
    return tomllib.loads(drop_in(Configuration.parse(dump), dict.fromkeys(handlers, SPEC)))


def test_version_3_gets_our_keys_only_because_its_tables_are_merged() -> None:
    assert added(V3, "runc") == {
        "version": 3,
        "plugins": {
            "io.containerd.cri.v1.runtime": {
                "containerd": {
                    "runtimes": {
                        "runc": {
                            "base_runtime_spec": SPEC,
                            "pod_annotations": ["nsledger.dev/*"],
                            "container_annotations": ["nsledger.dev/*"],
                        }
                    }
                }
            }
        },
    }


def test_version_2_repeats_the_whole_cri_section_because_its_tables_are_replaced() -> None:
    before = tomllib.loads(V2)["plugins"]["io.containerd.grpc.v1.cri"]

    written = added(V2, "runc")

    assert list(written["plugins"]) == ["io.containerd.grpc.v1.cri"]
    after = written["plugins"]["io.containerd.grpc.v1.cri"]
    runc = after["containerd"]["runtimes"]["runc"]
    assert runc["options"] == {"SystemdCgroup": True, "BinaryName": ""}
    assert runc["base_runtime_spec"] == SPEC
    runc.update(base_runtime_spec="", pod_annotations=["io.kubernetes.cri-o.*"])
    runc.update(container_annotations=[])
    assert after == before


def test_version_4_is_written_as_version_4() -> None:
    assert added(V3.replace("version = 3", "version = 4"), "runc")["version"] == 4


def test_what_an_admin_allows_stays_allowed() -> None:
    runtimes = added(V2, "runc")["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]

    assert runtimes["runc"]["pod_annotations"] == ["io.kubernetes.cri-o.*", "nsledger.dev/*"]


def test_what_is_allowed_already_is_not_allowed_twice() -> None:
    runtimes = added(V3, "runc")["plugins"]["io.containerd.cri.v1.runtime"]["containerd"][
        "runtimes"
    ]

    assert runtimes["runc"]["container_annotations"] == ["nsledger.dev/*"]


def test_every_named_handler_gets_its_spec_and_no_other() -> None:
    runtimes = added(V2, "runc", "kata")["plugins"]["io.containerd.grpc.v1.cri"]["containerd"][
        "runtimes"
    ]
    only_kata = added(V2, "kata")["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]

    assert {name: table["base_runtime_spec"] for name, table in runtimes.items()} == {
        "runc": SPEC,
        "kata": SPEC,
    }
    assert only_kata["runc"]["base_runtime_spec"] == ""


def test_a_handler_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownHandlerError, match="runc, kata") as caught:
        added(V2, "crun")

    assert caught.value.name == "crun"


@pytest.mark.parametrize("dump", ["", "version = 1", "version = 5", 'version = "2"'])
def test_a_version_that_we_do_not_know_is_refused(dump: str) -> None:
    with pytest.raises(UnsupportedConfigurationError):
        Configuration.parse(dump)


def test_handlers_are_read_from_both_versions() -> None:
    assert Configuration.parse(V2).handlers == {
        "runc": RuntimeHandler(
            name="runc",
            runtime_type="io.containerd.runc.v2",
            base_runtime_spec="",
            pod_annotations=("io.kubernetes.cri-o.*",),
            container_annotations=(),
        ),
        "kata": RuntimeHandler(
            name="kata",
            runtime_type="io.containerd.kata.v2",
            base_runtime_spec="",
            pod_annotations=(),
            container_annotations=(),
        ),
    }
    assert list(Configuration.parse(V3).handlers) == ["runc"]


def test_a_configuration_without_cri_has_no_handlers() -> None:
    assert Configuration.parse("version = 2").handlers == {}


def test_the_pattern_allows_what_the_shim_writes() -> None:
    # Go's path.Match: `*` does not cross a slash, and our names have none after the prefix.
    assert f"{PREFIX}*" == ANNOTATIONS


keys = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | keys
tables = st.recursive(
    st.dictionaries(keys, scalars | st.lists(keys, max_size=3), max_size=4),
    lambda inner: st.dictionaries(keys, scalars | inner, max_size=4),
    max_leaves=8,
)


@given(section=tables, handler=tables)
def test_whatever_else_a_version_2_section_holds_is_repeated(
    section: dict[str, Any], handler: dict[str, Any]
) -> None:
    cri = {**section, "containerd": {"runtimes": {"runc": {**handler, "runtime_type": "x"}}}}
    dump = tomlkit.dumps({"version": 2, "plugins": {"io.containerd.grpc.v1.cri": cri}})

    after = added(dump, "runc")["plugins"]["io.containerd.grpc.v1.cri"]

    runc = after["containerd"]["runtimes"]["runc"]
    for ours in ("base_runtime_spec", "pod_annotations", "container_annotations"):
        del runc[ours]
    assert after == cri
