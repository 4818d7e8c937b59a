from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

import pytest

from nsledger.model.namespaces import NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.node.doctor import kernel
from nsledger.node.doctor.outcome import Outcome, Result
from nsledger.proc import host
from tests.unit.node.doctor.contexts import context


def reading(*, ids: bool = True, missing: str = "") -> NamespaceReading:
    identity = NamespaceIdentity(dev=4, ino=1, ns_id="7" if ids else None)
    return NamespaceReading(
        pid=1,
        namespaces={} if missing else dict.fromkeys(NamespaceType, identity),
        missing=dict.fromkeys(NamespaceType, missing) if missing else {},
    )


def test_an_image_has_no_kernel_to_be_asked(tmp_path: Path) -> None:
    for check in (
        *(kernel.namespace_ids, kernel.user_namespaces, kernel.cgroup_version, kernel.ptrace),
        *(kernel.host_namespaces, kernel.clock),
    ):
        assert check(context(tmp_path, runs=False)).result is Result.UNKNOWN


def assert_told(outcome: Outcome, result: Result, *words: str) -> None:
    assert outcome.result is result
    assert bool(outcome.remedy) == (result is not Result.OK)
    for word in words:
        assert word in outcome.evidence


def test_a_kernel_without_ids_is_told_with_what_serves_instead(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernel, "read_namespaces", lambda _: reading())
    assert_told(kernel.namespace_ids(context(tmp_path)), Result.OK, host.kernel_release())

    monkeypatch.setattr(kernel, "read_namespaces", lambda _: reading(ids=False))
    assert_told(kernel.namespace_ids(context(tmp_path)), Result.WARNING, "no NS_GET_ID", "cgroup")


@pytest.mark.parametrize(
    ("text", "result"), [("0\n", Result.WARNING), ("96365\n", Result.OK), (None, Result.WARNING)]
)
def test_a_node_on_which_no_user_namespace_can_be_made_is_told(
    text: str | None, result: Result, tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "proc/sys/user").mkdir(parents=True)
        (tmp_path / "proc/sys/user/max_user_namespaces").write_text(text)

    assert_told(kernel.user_namespaces(context(tmp_path)), result, (text or "0").strip())


@pytest.mark.parametrize(("version", "result"), [(1, Result.WARNING), (2, Result.OK)])
def test_the_cgroup_version_says_whose_cgroup_namespace_a_container_is_in(
    version: int, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "cgroup_version", lambda: version)

    assert_told(kernel.cgroup_version(context(tmp_path)), result, f"version {version}")


@pytest.mark.parametrize(
    ("capabilities", "uid", "result"),
    [
        ("0000000000080000", 0, Result.OK),
        ("00000000a80425fb", 0, Result.FAILED),
        ("0000000000000000", 1000, Result.UNKNOWN),
    ],
    ids=["there", "a container's root", "a user"],
)
def test_who_may_not_read_other_processes_is_told(
    capabilities: str,
    uid: int,
    result: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node_of_it = context(tmp_path)
    (tmp_path / "proc/self/status").write_text(f"Name:\tx\nCapEff:\t{capabilities}\n")
    monkeypatch.setattr(os, "geteuid", lambda: uid)

    assert_told(kernel.ptrace(node_of_it), result, "CAP_SYS_PTRACE")


@pytest.mark.parametrize(("uid", "result"), [(0, Result.WARNING), (1000, Result.UNKNOWN)])
def test_where_pid_1_cannot_be_read_the_stand_in_is_told(
    uid: int, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel, "read_namespaces", lambda _: reading())
    assert_told(kernel.host_namespaces(context(tmp_path)), Result.OK)

    monkeypatch.setattr(kernel, "read_namespaces", lambda _: reading(missing="EACCES"))
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    assert_told(kernel.host_namespaces(context(tmp_path)), result, "EACCES")


def test_a_clock_behind_the_last_record_is_told(tmp_path: Path) -> None:
    ahead_ns = time.time_ns() + 60 * 10**9

    assert_told(kernel.clock(context(tmp_path, last_record_ns=ahead_ns)), Result.FAILED, "ahead")


@pytest.mark.parametrize(("state", "result"), [(0, Result.OK), (5, Result.WARNING)])
def test_a_clock_that_nobody_sets_is_told(
    state: int, result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Libc:
        def adjtimex(self, _timex: object) -> int:
            return state

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Libc())

    found = kernel.clock(context(tmp_path, last_record_ns=time.time_ns()))

    assert_told(found, result, "clock")
