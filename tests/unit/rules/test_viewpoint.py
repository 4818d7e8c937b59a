from __future__ import annotations

from dataclasses import replace

import pytest

from nsledger.model.namespaces import (
    NO_PROCESS,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.rules.claims import ClaimResolver, Exactly, JudgementContext, NoneOf

NET = NamespaceType.NET
HOST, SANDBOX, APP = (NamespaceIdentity(dev=4, ino=ino) for ino in (1, 2, 3))


def process(
    identity: NamespaceIdentity | None, *, pid: int = 0, ticks: int | None = None
) -> NamespaceReading:
    namespaces = {} if identity is None else {NET: identity}
    return NamespaceReading(pid=pid, start_ticks=ticks, namespaces=namespaces)


AROUND = JudgementContext(host=process(HOST, pid=1), sandbox=process(SANDBOX, pid=20))


def view(around: JudgementContext, *, ticks: int | None = 100) -> ClaimResolver:
    return ClaimResolver(NET, process(APP, pid=30, ticks=ticks), around)


def test_a_process_sees_what_it_has_or_why_that_was_not_read() -> None:
    unread = NamespaceReading(pid=30, missing={NET: "EACCES"})

    assert view(AROUND).seen() == Exactly(APP)
    assert ClaimResolver(NET, unread, AROUND).seen() == NoneOf(doubt="EACCES")
    assert ClaimResolver(NET, process(None), AROUND).seen() == NoneOf(doubt="not read")


def test_its_own_is_none_of_those_that_were_there_before() -> None:
    elder, younger = NamespaceIdentity(dev=4, ino=8), NamespaceIdentity(dev=4, ino=9)
    siblings = {"elder": process(elder, ticks=99), "younger": process(younger, ticks=101)}
    target = NamespaceIdentity(dev=4, ino=7)

    own = view(replace(AROUND, siblings=siblings, target=process(target))).own()

    assert isinstance(own, NoneOf)
    assert set(own.identities) == {HOST, SANDBOX, elder, target}
    assert not own.doubt


@pytest.mark.parametrize(
    ("around", "doubt"),
    [
        (replace(AROUND, host=process(None)), "the host's was not read"),
        (replace(AROUND, sandbox=process(None)), "the sandbox's was not read"),
        (replace(AROUND, target=process(None)), "the target's was not read"),
        (replace(AROUND, siblings={"a": process(None, ticks=99)}), "a sibling's was not read"),
        (replace(AROUND, siblings={"a": process(None)}), "a sibling's was not read"),
        (
            replace(AROUND, siblings={"a": process(APP)}),
            "a sibling that may be older has the same",
        ),
    ],
)
def test_its_own_is_in_doubt_where_not_all_were_looked_at(
    around: JudgementContext, doubt: str
) -> None:
    own = view(around).own()

    assert isinstance(own, NoneOf)
    assert own.doubt == doubt


def test_a_sibling_of_the_same_clock_tick_may_be_the_younger_one() -> None:
    own = view(replace(AROUND, siblings={"twin": process(APP, ticks=100)})).own()

    assert own == NoneOf((HOST, SANDBOX), "a sibling that may be older has the same")


def test_an_unread_younger_sibling_is_no_doubt() -> None:
    own = view(replace(AROUND, siblings={"younger": process(None, ticks=101)})).own()

    assert own == NoneOf((HOST, SANDBOX))


def asked(mode: NamespaceMode | int | None) -> RequestedNamespaces:
    return RequestedNamespaces(net=mode)


@pytest.mark.parametrize("mode", [*NamespaceMode, 7, None])
def test_the_pods_is_the_sandboxs(mode: NamespaceMode | int | None) -> None:
    assert view(replace(AROUND, pod_requested=asked(mode))).pods() == Exactly(SANDBOX)
    assert view(AROUND).pods() == Exactly(SANDBOX)


@pytest.mark.parametrize(
    ("requested", "may"),
    [
        (None, True),
        (asked(NamespaceMode.NODE), True),
        (asked(7), True),
        (asked(NamespaceMode.POD), False),
        (asked(None), False),
    ],
)
def test_the_hosts_is_the_pods_only_where_the_pod_may_have_asked_for_it(
    requested: RequestedNamespaces | None, *, may: bool
) -> None:
    around = replace(AROUND, sandbox=process(HOST), pod_requested=requested)

    strayed = NoneOf((HOST,), "the sandbox has none of its own")
    assert view(around).pods() == (Exactly(HOST) if may else strayed)


def test_of_a_sandbox_that_was_not_read_it_is_known_that_it_should_not_be_the_host() -> None:
    known = replace(AROUND, sandbox=process(None), pod_requested=asked(NamespaceMode.POD))
    gone = replace(known, sandbox=NamespaceReading(pid=0, missing={NET: NO_PROCESS}))
    unknown = replace(known, pod_requested=None)

    assert view(known).pods() == NoneOf((HOST,), "the sandbox's was not read")
    assert view(gone).pods() == NoneOf((HOST,), "the sandbox has no process")
    assert view(unknown).pods() == NoneOf(doubt="the sandbox's was not read")


def test_a_sandbox_may_have_strayed_into_a_host_that_was_not_read() -> None:
    around = replace(AROUND, host=process(None), pod_requested=asked(NamespaceMode.POD))

    assert view(around).pods() == Exactly(SANDBOX, "the host's was not read")
    assert view(replace(around, pod_requested=None)).pods() == Exactly(SANDBOX)


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/proc/20/ns/net", SANDBOX),
        ("/proc/21/ns/net", APP),
        ("/proc/22/ns/net", APP),
        ("/proc/1/ns/net", HOST),
        ("/var/run/netns/cni-1", SANDBOX),
    ],
)
def test_a_path_leads_to_a_process_that_was_read_or_to_what_was_found_there(
    path: str, identity: NamespaceIdentity
) -> None:
    around = replace(
        AROUND,
        siblings={"app": process(APP, pid=21)},
        target=process(APP, pid=22),
        paths={"/var/run/netns/cni-1": SANDBOX},
    )

    assert view(around).behind(path) == Exactly(identity)


@pytest.mark.parametrize(
    "path", ["/proc/20/ns/ipc", "/proc/2/ns/net", "/proc/self/ns/net", "/var/run/netns/cni-2", "x"]
)
def test_of_a_path_that_nobody_followed_nothing_is_claimed(path: str) -> None:
    behind = view(AROUND).behind(path)

    assert behind == NoneOf(doubt="nobody looked where the path leads")


def test_what_was_found_behind_a_path_counts_more_than_its_pid() -> None:
    around = replace(AROUND, paths={"/proc/20/ns/net": APP})

    assert view(around).behind("/proc/20/ns/net") == Exactly(APP)


def test_a_process_behind_a_path_may_not_have_been_read() -> None:
    around = replace(AROUND, sandbox=process(None, pid=20))

    behind = view(around).behind("/proc/20/ns/net")

    assert behind == NoneOf(doubt="the namespace behind the path was not read")
