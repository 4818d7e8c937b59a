"""Single judgements by name; the whole space of them is in tests/property/test_judgement*.py."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from nsledger.model.judgement import Judgement, LayerPair, Rule, Verdict
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    IdMapping,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.rules.claims import JudgementContext
from nsledger.rules.judgement import judge_container, judge_sandbox
from tests.property.conforming_node import ContainerSpec, Node, PodSpec

CGROUP, IPC, MNT, NET = (NamespaceType(name) for name in ("cgroup", "ipc", "mnt", "net"))
PID, TIME, USER, UTS = (NamespaceType(name) for name in ("pid", "time", "user", "uts"))


def judged(spec: PodSpec, *containers: ContainerSpec) -> dict[NamespaceType, Judgement]:
    """The last of the containers, on a node on which everybody does as asked."""
    node = Node()
    pod = node.run_pod(spec)
    started = [
        node.start_container(pod, name, one)
        for name, one in zip(("app", "debugger"), containers or (ContainerSpec(),), strict=False)
    ]
    last = started[-1]
    return judge_container(last.actual, last.requested, last.assigned, pod.around(last, node.host))


def test_a_plain_container_shares_three_types_with_its_pod_and_has_three_to_itself() -> None:
    assert judged(PodSpec()) == {
        CGROUP: Judgement("private", Verdict.NOT_REQUESTED, rule=Rule.ASSIGNED_NEW),
        IPC: Judgement("pod", Verdict.MATCH, rule=Rule.REQUESTED_POD),
        MNT: Judgement("private", Verdict.NOT_REQUESTED, rule=Rule.ASSIGNED_NEW),
        NET: Judgement("pod", Verdict.MATCH, rule=Rule.REQUESTED_POD),
        PID: Judgement("private", Verdict.MATCH, rule=Rule.REQUESTED_CONTAINER),
        TIME: Judgement("host", Verdict.NOT_REQUESTED, rule=Rule.ASSIGNED_INHERITED),
        USER: Judgement("host", Verdict.NOT_REQUESTED, rule=Rule.ASSIGNED_INHERITED),
        UTS: Judgement("pod", Verdict.NOT_REQUESTED, rule=Rule.ASSIGNED_PATH),
    }


@pytest.mark.parametrize(
    ("spec", "container", "type_", "sharing", "rule"),
    [
        (PodSpec(share_process_namespace=True), ContainerSpec(), PID, "pod", "requested.POD"),
        (PodSpec(host_pid=True), ContainerSpec(), PID, "host", "requested.NODE"),
        (PodSpec(host_ipc=True), ContainerSpec(), IPC, "host", "requested.NODE"),
        (PodSpec(host_network=True), ContainerSpec(), NET, "host", "requested.NODE"),
        (PodSpec(host_network=True), ContainerSpec(), UTS, "host", "assigned.path"),
        (PodSpec(host_users=False), ContainerSpec(), USER, "pod", "requested.POD"),
        (PodSpec(), ContainerSpec(privileged=True), CGROUP, "host", "assigned.inherited"),
        (PodSpec(), ContainerSpec(options=False), PID, "pod", "assigned.path"),
    ],
)
def test_each_field_of_a_pod_changes_its_types(
    spec: PodSpec, container: ContainerSpec, type_: NamespaceType, sharing: str, rule: str
) -> None:
    judgement = judged(spec, container)[type_]

    assert (judgement.sharing, judgement.rule) == (sharing, rule)
    assert judgement.verdict in {Verdict.MATCH, Verdict.NOT_REQUESTED}


def test_an_ephemeral_container_is_in_its_target_and_says_so() -> None:
    judgement = judged(PodSpec(), ContainerSpec(), ContainerSpec(target="app"))[PID]

    assert judgement == Judgement("container:app", Verdict.MATCH, rule=Rule.REQUESTED_TARGET)


HOST, SANDBOX, OWN = (NamespaceIdentity(dev=4, ino=ino) for ino in (1, 2, 3))


def process(identity: NamespaceIdentity, pid: int = 30) -> NamespaceReading:
    return NamespaceReading(pid=pid, namespaces=dict.fromkeys(NamespaceType, identity))


AROUND = JudgementContext(host=process(HOST, 1), sandbox=process(SANDBOX, 20))


def test_which_layers_differ_tells_who_did_not_do_as_asked() -> None:
    asked = RequestedNamespaces(ipc=NamespaceMode.POD)
    right = {IPC: "/proc/20/ns/ipc"}
    by = {
        "spec": judge_container(process(HOST), asked, {IPC: INHERITED}, AROUND),
        "kernel": judge_container(process(OWN), asked, right, AROUND),
        "both": judge_container(process(OWN), asked, {IPC: INHERITED}, AROUND),
        "unasked": judge_container(process(OWN), RequestedNamespaces(), right, AROUND),
    }

    assert {who: (one[IPC].differ, one[IPC].reason) for who, one in by.items()} == {
        "spec": (
            (LayerPair.REQUESTED_ASSIGNED, LayerPair.REQUESTED_ACTUAL),
            "requested POD, assigned inherited; requested POD, got host",
        ),
        "kernel": (
            (LayerPair.REQUESTED_ACTUAL, LayerPair.ASSIGNED_ACTUAL),
            "requested POD, got private; assigned /proc/20/ns/ipc, got private",
        ),
        "both": (
            tuple(LayerPair),
            (
                "requested POD, assigned inherited; requested POD, got private;"
                " assigned inherited, got private"
            ),
        ),
        "unasked": ((LayerPair.ASSIGNED_ACTUAL,), "assigned /proc/20/ns/ipc, got private"),
    }
    assert by["unasked"][IPC].rule == Rule.ASSIGNED_PATH


def test_a_wrong_spec_is_seen_even_where_the_process_was_not_read() -> None:
    asked = RequestedNamespaces(ipc=NamespaceMode.POD)
    unread = NamespaceReading(pid=30, missing={IPC: "EACCES"})

    judgement = judge_container(unread, asked, {IPC: INHERITED}, AROUND)[IPC]

    assert judgement.sharing == "unknown"
    assert judgement.differ == (LayerPair.REQUESTED_ASSIGNED,)


def test_what_was_not_read_is_unobservable_with_the_kernels_reason() -> None:
    unread = NamespaceReading(pid=30, missing={TIME: "ENOENT"})

    judgement = judge_container(unread, RequestedNamespaces(), {TIME: INHERITED}, AROUND)[TIME]

    assert judgement == Judgement("unknown", Verdict.UNOBSERVABLE, "ENOENT", Rule.ACTUAL_UNREAD)


def test_a_host_that_was_not_read_accuses_nobody() -> None:
    around = replace(AROUND, host=NamespaceReading(pid=1, missing={NET: "EACCES"}))
    asked = RequestedNamespaces(net=NamespaceMode.NODE)

    judgement = judge_container(process(HOST), asked, {}, around)[NET]

    assert judgement.verdict is Verdict.UNOBSERVABLE
    assert judgement.reason == "the host's was not read"


LINES = (IdMapping(0, 100000, 65536),)
IN_USER_NAMESPACE = RequestedNamespaces(user=UserNamespaceRequest(NamespaceMode.POD, LINES, LINES))


def test_mappings_are_compared_by_what_they_map() -> None:
    cut = (IdMapping(0, 100000, 1), IdMapping(1, 100001, 65535))
    got = msgspec.structs.replace(process(SANDBOX), uid_map=cut, gid_map=LINES)

    assert judge_container(got, IN_USER_NAMESPACE, {}, AROUND)[USER].verdict is Verdict.MATCH


def test_other_mappings_than_asked_for_are_a_mismatch_of_their_own() -> None:
    wrong = (IdMapping(0, 0, 65536),)
    got = msgspec.structs.replace(process(OWN), uid_map=wrong, gid_map=LINES)

    judgement = judge_sandbox(got, IN_USER_NAMESPACE, {USER: NEW}, process(HOST))[USER]

    assert judgement == Judgement(
        "pod",
        Verdict.MISMATCH,
        "requested uids 0:100000:65536, got 0:0:65536",
        Rule.REQUESTED_MAPPINGS,
        (LayerPair.REQUESTED_ACTUAL,),
    )


def test_mappings_that_were_not_read_are_no_mismatch() -> None:
    got = process(SANDBOX)

    assert judge_container(got, IN_USER_NAMESPACE, {}, AROUND)[USER].verdict is Verdict.MATCH


def test_mappings_that_were_not_asked_for_are_the_runtimes_choice() -> None:
    asked = RequestedNamespaces(user=UserNamespaceRequest(NamespaceMode.POD))
    got = msgspec.structs.replace(process(SANDBOX), uid_map=LINES, gid_map=LINES)

    assert judge_container(got, asked, {}, AROUND)[USER].verdict is Verdict.MATCH


def test_mappings_under_a_mode_that_is_not_known_are_not_judged() -> None:
    asked = RequestedNamespaces(user=UserNamespaceRequest(7, LINES, LINES))
    got = msgspec.structs.replace(process(OWN), uid_map=(IdMapping(0, 7, 1),))

    assert judge_container(got, asked, {}, AROUND)[USER].verdict is Verdict.UNOBSERVABLE


def test_a_runtime_that_ignores_host_users_false_is_found_in_sandbox_and_container() -> None:
    inherited = {USER: INHERITED}
    around = replace(AROUND, sandbox=process(HOST, 20), pod_requested=IN_USER_NAMESPACE)

    sandbox = judge_sandbox(process(HOST, 20), IN_USER_NAMESPACE, inherited, process(HOST, 1))
    container = judge_container(process(HOST), IN_USER_NAMESPACE, inherited, around)

    assert sandbox[USER].verdict is container[USER].verdict is Verdict.MISMATCH
    assert container[USER].reason == "requested POD, assigned inherited; requested POD, got host"


def test_the_pods_namespace_may_be_the_hosts_if_the_pod_asked_for_that() -> None:
    asked = RequestedNamespaces(net=NamespaceMode.POD)
    around = replace(
        AROUND,
        sandbox=process(HOST, 20),
        pod_requested=RequestedNamespaces(net=NamespaceMode.NODE),
    )

    judgement = judge_container(process(HOST), asked, {NET: "/proc/20/ns/net"}, around)[NET]

    assert judgement == Judgement("host", Verdict.MATCH, rule=Rule.REQUESTED_POD)


def test_an_older_record_without_rule_is_still_a_judgement() -> None:
    line = b'{"sharing":"pod","verdict":"match"}'

    assert msgspec.json.decode(line, type=Judgement) == Judgement("pod", Verdict.MATCH)


def test_a_rule_of_a_newer_version_is_read_as_it_stands() -> None:
    line = b'{"sharing":"pod","verdict":"match","rule":"requested.SIBLING"}'

    assert msgspec.json.decode(line, type=Judgement).rule == "requested.SIBLING"
