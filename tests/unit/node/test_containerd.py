"""What containerd says is in force is read from every version, and our three keys are added."""

from __future__ import annotations

import tomllib

import pytest

from nsledger.cri.annotations import PREFIX
from nsledger.node.containerd import (
    ANNOTATIONS,
    Configuration,
    CriDisabledError,
    UnsupportedConfigurationError,
    drop_in,
    our_keys,
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

[grpc]
address = '/run/k3s/containerd/containerd.sock'

[plugins.'io.containerd.cri.v1.images']
snapshotter = 'overlayfs'

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = 'pause:4'

[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'runc'

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'
container_annotations = ['nsledger.dev/*']

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
SystemdCgroup = true
"""

SPEC = "/etc/nsledger/base-runtime-spec.json"


KEYS = {
    "base_runtime_spec": SPEC,
    "pod_annotations": ["nsledger.dev/*"],
    "container_annotations": ["nsledger.dev/*"],
}


@pytest.mark.parametrize(
    ("version", "plugin"),
    [
        (2, "io.containerd.grpc.v1.cri"),
        (3, "io.containerd.cri.v1.runtime"),
        (4, "io.containerd.cri.v1.runtime"),
    ],
)
def test_a_drop_in_names_our_keys_and_nothing_else(version: int, plugin: str) -> None:
    keys = our_keys(SPEC, pod_annotations=(), container_annotations=())

    written = tomllib.loads(drop_in(version, {("runtimes", "runc"): keys}))

    section = {"containerd": {"runtimes": {"runc": KEYS}}}
    assert written == {"version": version, "plugins": {plugin: section}}


def test_what_an_admin_allows_stays_allowed_and_ours_is_not_allowed_twice() -> None:
    keys = our_keys(SPEC, pod_annotations=["a/*"], container_annotations=["nsledger.dev/*", "b/*"])

    assert keys["pod_annotations"] == ["a/*", "nsledger.dev/*"]
    assert keys["container_annotations"] == ["nsledger.dev/*", "b/*"]


@pytest.mark.parametrize("plugin", ["cri", "io.containerd.grpc.v1.cri"])
def test_a_containerd_without_cri_is_refused(plugin: str) -> None:
    with pytest.raises(CriDisabledError, match=plugin):
        Configuration.parse(f'version = 2\ndisabled_plugins = ["{plugin}"]')


def test_the_socket_and_the_sandbox_image_are_read_from_both_versions() -> None:
    v2, v3 = Configuration.parse(V2), Configuration.parse(V3)

    assert (v2.socket, v2.sandbox_image) == (
        "/run/containerd/containerd.sock",
        "registry.k8s.io/pause:3.6",
    )
    assert (v3.socket, v3.sandbox_image) == ("/run/k3s/containerd/containerd.sock", "pause:4")
    assert v2.has_systemd_cgroup


def test_a_base_spec_of_ours_is_for_runcs_shim_only() -> None:
    handlers = Configuration.parse(V2).handlers

    assert {name: handler.is_runc for name, handler in handlers.items()} == {
        "runc": True,
        "kata": False,
    }


@pytest.mark.parametrize("dump", ["", "version = 1", "version = 5", 'version = "2"'])
def test_a_version_that_we_do_not_know_is_refused(dump: str) -> None:
    with pytest.raises(UnsupportedConfigurationError):
        Configuration.parse(dump)


def test_handlers_are_read_from_both_versions() -> None:
    runc, kata = Configuration.parse(V2).handlers.values()

    assert (runc.name, runc.runtime_type) == ("runc", "io.containerd.runc.v2")
    assert (runc.base_runtime_spec, runc.container_annotations) == ("", ())
    assert runc.pod_annotations == ("io.kubernetes.cri-o.*",)
    assert runc.table["options"] == {"SystemdCgroup": True, "BinaryName": ""}
    assert (kata.name, kata.pod_annotations) == ("kata", ())
    assert list(Configuration.parse(V3).handlers) == ["runc"]


def test_a_configuration_without_cri_has_no_handlers() -> None:
    assert Configuration.parse("version = 2").handlers == {}


def test_the_pattern_allows_what_the_shim_writes() -> None:
    # Go's path.Match: `*` does not cross a slash, and our names have none after the prefix.
    assert f"{PREFIX}*" == ANNOTATIONS
