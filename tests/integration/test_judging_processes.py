"""The rules before real processes, in namespaces that util-linux makes as a runtime does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from nsledger.model.judgement import Judgement, LayerPair, Verdict
from nsledger.model.namespaces import (
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    assigned_by_oci,
)
from nsledger.proc.namespaces import read_namespaces
from nsledger.rules.claims import JudgementContext
from nsledger.rules.judgement import judge_container, judge_sandbox
from tests.processes import sleeping

pytestmark = pytest.mark.root

Start = Callable[[str], NamespaceReading]

ASKED = RequestedNamespaces(net=NamespaceMode.POD, pid=NamespaceMode.NODE, ipc=NamespaceMode.POD)
SANDBOX = "unshare --mount --net --ipc --uts"


@pytest.fixture
def start() -> Iterator[Start]:
    """Run `sleep` under a command line, and read what it is in once it is there."""
    with ExitStack() as stack:

        def run(under: str) -> NamespaceReading:
            return read_namespaces(stack.enter_context(sleeping(under)).pid)

        yield run


def judge(container: NamespaceReading, sandbox: NamespaceReading) -> dict[NamespaceType, Judgement]:
    """As a container to which containerd assigned what ASKED asks for."""
    joined = [(name, f"/proc/{sandbox.pid}/ns/{name[:3]}") for name in ("network", "ipc", "uts")]
    around = JudgementContext(read_namespaces(os.getpid()), sandbox, pod_requested=ASKED)
    return judge_container(container, ASKED, assigned_by_oci([*joined, ("mount", "")]), around)


def test_a_container_that_joined_its_sandbox_has_what_was_asked_and_assigned(start: Start) -> None:
    sandbox = start(SANDBOX)

    judged = judge(start(f"nsenter -t {sandbox.pid} --net --ipc --uts unshare --mount"), sandbox)

    assert {str(type_): one.sharing for type_, one in judged.items()} == {
        "cgroup": "host",
        "ipc": "pod",
        "mnt": "private",
        "net": "pod",
        "pid": "host",
        "time": "host",
        "user": "host",
        "uts": "pod",
    }
    assert {one.verdict for one in judged.values()} == {Verdict.MATCH, Verdict.NOT_REQUESTED}


def test_a_container_that_made_its_own_instead_is_found_in_that_type_alone(start: Start) -> None:
    sandbox = start(SANDBOX)

    judged = judge(start(f"nsenter -t {sandbox.pid} --net --uts unshare --mount --ipc"), sandbox)

    found = {type_: one.differ for type_, one in judged.items() if one.differ}
    assert found == {NamespaceType.IPC: (LayerPair.REQUESTED_ACTUAL, LayerPair.ASSIGNED_ACTUAL)}


def test_a_container_that_stayed_with_the_host_is_found_in_that_type_alone(start: Start) -> None:
    sandbox = start(SANDBOX)

    judged = judge(start(f"nsenter -t {sandbox.pid} --ipc --uts unshare --mount"), sandbox)

    found = {type_: one.sharing for type_, one in judged.items() if one.differ}
    assert found == {NamespaceType.NET: "host"}


def test_a_sandbox_has_what_the_pod_asked_for(start: Start) -> None:
    new = [(name, "") for name in ("network", "ipc", "uts", "mount")]
    host = read_namespaces(os.getpid())

    judged = judge_sandbox(start(SANDBOX), ASKED, assigned_by_oci(new), host)

    assert {one.verdict for one in judged.values()} == {Verdict.MATCH, Verdict.NOT_REQUESTED}
    assert {str(type_) for type_, one in judged.items() if one.sharing == "pod"} == {
        "ipc",
        "mnt",
        "net",
        "uts",
    }
