"""The base spec is the node's own default or the admin's, whole, with the hook and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.node import base_runtime_spec
from nsledger.node.base_runtime_spec import IncompleteSpecError, OciHook, UnusableHookError

HOOK = OciHook(
    path="/usr/bin/python3",
    args=("python3", "-I", "-S", "/opt/nsledger/launch.py", "--stage", "createRuntime"),
    timeout=5,
)

DEFAULT: dict[str, Any] = {
    "ociVersion": "1.0.2-dev",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "cwd": "/",
        "capabilities": {"bounding": ["CAP_CHOWN"]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "apparmorProfile": "somebody's",
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs"},
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
    "linux": {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "cgroupsPath": "/default",
        "namespaces": [
            {"type": type_} for type_ in ("pid", "ipc", "uts", "mount", "network", "cgroup")
        ],
        "maskedPaths": ["/proc/kcore"],
        "seccomp": {"defaultAction": "SCMP_ACT_ERRNO"},
    },
}
"""As `ctr oci spec` prints it, shortened, with what some builds add."""

ADMINS_HOOKS = {
    "prestart": [{"path": "/usr/bin/nvidia-container-toolkit", "args": ["prestart"]}],
    "createRuntime": [{"path": "/opt/admin/hook", "timeout": 10}],
    "poststop": [{"path": "/opt/admin/after"}],
}


def text(spec: object) -> bytes:
    return msgspec.json.encode(spec)


def from_default(spec: object = DEFAULT) -> dict[str, Any]:
    return msgspec.json.decode(base_runtime_spec.from_default(text(spec), HOOK), type=dict)


def from_existing(spec: object) -> dict[str, Any]:
    return msgspec.json.decode(base_runtime_spec.from_existing(text(spec), HOOK), type=dict)


def without(spec: dict[str, Any], *paths: str) -> dict[str, Any]:
    left = copy.deepcopy(spec)
    for path in paths:
        table = left
        *parents, last = path.split(".")
        for parent in parents:
            table = table[parent]
        del table[last]
    return left


def test_the_hook_runs_at_create_runtime() -> None:
    hooks = from_default()["hooks"]

    assert hooks == {
        "createRuntime": [
            {
                "path": "/usr/bin/python3",
                "args": list(HOOK.args),
                "env": ["LC_ALL=C.UTF-8"],
                "timeout": 5,
            }
        ]
    }


def test_a_default_keeps_all_but_what_containerd_takes_out_of_its_own() -> None:
    spec = from_default()

    expected = without(DEFAULT, "process.rlimits", "process.apparmorProfile", "linux.seccomp")
    assert without(spec, "hooks") == expected


def test_an_admins_spec_keeps_everything() -> None:
    admins = {**DEFAULT, "hooks": ADMINS_HOOKS}

    spec = from_existing(admins)

    assert without(spec, "hooks") == DEFAULT


def test_an_admins_hooks_stay_and_run_before_ours() -> None:
    hooks = from_existing({**DEFAULT, "hooks": ADMINS_HOOKS})["hooks"]

    assert hooks["prestart"] == ADMINS_HOOKS["prestart"]
    assert hooks["poststop"] == ADMINS_HOOKS["poststop"]
    assert [hook["path"] for hook in hooks["createRuntime"]] == [
        "/opt/admin/hook",
        "/usr/bin/python3",
    ]


def test_adding_the_hook_twice_is_adding_it_once() -> None:
    once = base_runtime_spec.from_default(text(DEFAULT), HOOK)

    assert base_runtime_spec.from_existing(once, HOOK) == once


def test_it_is_written_for_people_too() -> None:
    written = base_runtime_spec.from_default(text(DEFAULT), HOOK)

    assert written.startswith(b'{\n  "ociVersion": "1.0.2-dev",\n')
    assert written.endswith(b"}\n")


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("process", "process"),
        ("root", "root"),
        ("mounts", "mounts"),
        ("linux", "pid namespace"),
        ("linux.namespaces", "mount namespace"),
    ],
)
def test_a_spec_that_is_not_whole_is_refused(path: str, missing: str) -> None:
    with pytest.raises(IncompleteSpecError, match=missing) as caught:
        from_default(without(DEFAULT, path))

    assert missing in caught.value.missing


@pytest.mark.parametrize("type_", ["pid", "ipc", "uts", "mount", "network"])
def test_a_spec_that_would_give_containers_a_host_namespace_is_refused(type_: str) -> None:
    spec = copy.deepcopy(DEFAULT)
    spec["linux"]["namespaces"] = [
        entry for entry in spec["linux"]["namespaces"] if entry["type"] != type_
    ]

    with pytest.raises(IncompleteSpecError) as caught:
        from_existing(spec)

    assert caught.value.missing == (f"{type_} namespace",)


def test_a_spec_of_hooks_alone_is_refused() -> None:
    with pytest.raises(IncompleteSpecError):
        from_existing({"ociVersion": "1.1.0", "hooks": ADMINS_HOOKS})


@pytest.mark.parametrize(
    "wrong",
    [{"path": "python3"}, {"path": ""}, {"args": ()}, {"env": ()}, {"timeout": 0}],
    ids=str,
)
def test_a_hook_that_could_stop_a_container_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnusableHookError):
        msgspec.structs.replace(HOOK, **wrong)


names = st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | names,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(names.filter(lambda name: name not in {*DEFAULT, "hooks"}), values, max_size=3)
)
def test_what_this_version_has_no_name_for_survives(unknown: dict[str, Any]) -> None:
    spec = from_existing({**DEFAULT, **unknown})

    assert without(spec, "hooks") == {**DEFAULT, **unknown}
