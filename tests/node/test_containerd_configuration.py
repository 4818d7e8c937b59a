"""What nsledger generates for containerd, in force on real ones: our keys, and nothing else."""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from demo.node import PrivateNode
from demo.pods import Pod, RunningPod
from nsledger.node.effective_change import flat
from tests.node.conftest import GENERATIONS, UNHOOKED, HookedNode, Run


def effective(node: HookedNode) -> dict[str, object]:
    return dict(flat(tomllib.loads(node.node.effective_configuration())))


def normalised_spec(node: HookedNode, pod: RunningPod) -> dict[str, Any]:
    """The spec that a pod's container runs with, its own names replaced."""
    container_id = pod.containers["app"]
    spec = json.dumps(node.kubelet.container_info(container_id)["runtimeSpec"])
    sandbox_pid = node.kubelet.sandbox_info(pod.pod_sandbox_id)["pid"]
    for own, instead in {
        container_id: "CONTAINER",
        pod.pod_sandbox_id: "SANDBOX",
        pod.sandbox_config["metadata"]["uid"]: "UID",
        f"/proc/{sandbox_pid}/": "/proc/PID/",
    }.items():
        spec = spec.replace(own, instead)
    normalised: dict[str, Any] = json.loads(spec)
    return normalised


@contextlib.contextmanager
def without_our_changes(node: PrivateNode) -> Iterator[None]:
    """The node's files as they were before nsledger came; containerd is not restarted."""
    ours = {path: path.read_bytes() for path in node.changed}
    for path, before in node.changed.items():
        path.unlink()
        if before is not None:
            path.write_bytes(before)
    yield
    for path, data in ours.items():
        path.write_bytes(data)


def test_the_effective_configuration_changes_in_our_keys_only(node: HookedNode) -> None:
    after = effective(node)
    with without_our_changes(node.node):
        before = effective(node)

    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}

    hooked = [handler.name for handler in node.node.handlers if handler.hooked]
    assert {path for path in changed if path != "/imports"} == {
        path
        for path in after
        for name in hooked
        for key in ("base_runtime_spec", "pod_annotations", "container_annotations")
        if path.endswith(f"/containerd/runtimes/{name}/{key}")
    }
    assert len(changed - {"/imports"}) == 3 * len(hooked)


def test_a_container_of_the_base_spec_differs_by_the_hook_only(node: HookedNode, run: Run) -> None:
    ours = normalised_spec(node, run(Pod(name="spec")))
    theirs = normalised_spec(
        node, run(Pod(name="spec", k8s_namespace="demo", runtime_handler=UNHOOKED.name))
    )

    hooks = ours.pop("hooks")
    assert list(hooks) == ["createRuntime"]
    assert ours == theirs


@pytest.mark.parametrize(
    "limit",
    ["/proc/self/limits", "/proc/self/status"],
    ids=["resource limits", "capabilities, seccomp and the like"],
)
def test_inside_a_container_nothing_is_different(node: HookedNode, run: Run, limit: str) -> None:
    def inside(handler: str) -> list[str]:
        pod = run(Pod(name=f"limits-{handler}", runtime_handler=handler))
        printed = node.kubelet.run_inside(pod.containers["app"], "cat", limit)
        its_own = ("Pid", "Tgid", "NStgid", "NSpid", "NSpgid", "NSsid", "Ngid", "PPid")
        # SigQ counts the signals queued for the user, by every process of the machine.
        counts = ("Vm", "Rss", "voluntary", "nonvoluntary", "x86_", "Cpus", "Mems", "SigQ")
        return [line for line in printed.splitlines() if not line.startswith((*its_own, *counts))]

    assert inside("runc") == inside(UNHOOKED.name)


def test_our_annotations_reach_the_spec_and_the_hook_and_others_do_not(
    node: HookedNode, run: Run
) -> None:
    pod = run(
        Pod(
            name="annotated",
            containers=(),
            annotations={"nsledger.dev/of-the-pod": "1", "example.com/secret": "planted"},
        )
    )
    container_id = node.kubelet.start(
        pod, "app", annotations={"nsledger.dev/of-the-container": "2", "example.com/too": "planted"}
    )

    sandbox = node.kubelet.sandbox_info(pod.pod_sandbox_id)["runtimeSpec"]["annotations"]
    container = node.kubelet.container_info(container_id)["runtimeSpec"]["annotations"]
    seen = node.seen_by_hook(container_id)

    assert seen is not None
    assert sandbox["nsledger.dev/of-the-pod"] == "1"
    assert seen["state"]["annotations"] == container
    assert container["nsledger.dev/of-the-pod"] == "1"
    assert container["nsledger.dev/of-the-container"] == "2"
    assert "planted" not in json.dumps([sandbox, container])


@pytest.mark.parametrize("node", GENERATIONS[1:], indirect=True)
def test_the_drop_in_of_version_3_names_nothing_but_our_keys(node: HookedNode) -> None:
    added = tomllib.loads((node.node.directory / "conf.d/zz-nsledger.toml").read_text())

    assert {path.rpartition("/")[2] for path, _ in flat(added)} == {
        "version",
        "base_runtime_spec",
        "pod_annotations",
        "container_annotations",
    }
