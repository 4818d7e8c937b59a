from __future__ import annotations

import pytest

from nsledger.auditor.runtime_status import was_looked_at, why_unobservable
from nsledger.cri.status import ProcessStatus


@pytest.mark.parametrize(
    ("pid", "runtime_type", "ended", "reason"),
    [
        (7, "io.containerd.runc.v2", False, ""),
        (7, "", False, ""),
        (None, "", False, "no host pid"),
        (None, "io.containerd.runc.v2", True, "it had ended"),
        (7, "io.containerd.kata.v2", False, "sandboxed by io.containerd.kata.v2"),
        (None, "io.containerd.runsc.v1", True, "sandboxed by io.containerd.runsc.v1"),
    ],
)
def test_the_reason_says_what_stands_in_the_way(
    pid: int | None, runtime_type: str, ended: bool, reason: str
) -> None:
    process = ProcessStatus(
        pid=pid, assigned={}, uid_mappings=(), gid_mappings=(), runtime_type=runtime_type
    )

    assert why_unobservable(process, ended=ended) == reason
    assert was_looked_at(reason)


def test_a_runtime_that_did_not_answer_is_a_reason_to_look_again() -> None:
    assert not was_looked_at("ContainerStatus: the runtime answered UNAVAILABLE")
