from __future__ import annotations

import pytest

from nsledger.cri.runtime_types import follows_containerds_rules, is_sandboxed


@pytest.mark.parametrize(
    ("runtime_type", "sandboxed", "follows"),
    [
        ("io.containerd.runc.v2", False, True),
        ("io.containerd.runc.v1", False, True),
        ("io.containerd.runtime.v1.linux", False, True),
        ("io.containerd.kata.v2", True, False),
        ("io.containerd.runsc.v1", True, False),
        ("io.containerd.wasmtime.v1", True, False),
        ("", False, False),
    ],
)
def test_only_of_runc_and_its_like_it_is_known_what_a_process_is_and_joins(
    runtime_type: str, sandboxed: bool, follows: bool
) -> None:
    assert is_sandboxed(runtime_type) is sandboxed
    assert follows_containerds_rules(runtime_type) is follows
