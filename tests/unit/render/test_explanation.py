"""The sentences of each kind of pod; that none claims too much is a property test's."""

from __future__ import annotations

import msgspec

from nsledger.model.namespaces import NamespaceType
from nsledger.render.explanation import Explanation, SentenceKind, explain
from nsledger.state.matrix import pod_matrix
from nsledger.state.pods import Workloads
from tests.property.conforming_node import ContainerSpec, Node, PodSpec
from tests.property.recorded_node import RecordedNode
from tests.synthetic_node import PID, odd_node

PLAIN = ContainerSpec()


def node_with(spec: PodSpec, *containers: tuple[str, ContainerSpec]) -> RecordedNode:
    node = RecordedNode(Node())
    ref = node.run_pod(spec)
    for name, container in containers:
        node.start(ref, name, container)
    return node


def explained(workloads: Workloads, name: str = "", *, all_attempts: bool = False) -> Explanation:
    pod = next(pod for pod in workloads.pods.values() if name in pod.ref.name)
    return explain(pod_matrix(pod, workloads.host, all_attempts=all_attempts))


def said(explanation: Explanation, type_: str) -> list[tuple[SentenceKind, str]]:
    (of_type,) = [one for one in explanation.types if one.type is NamespaceType(type_)]
    return [(one.kind, one.text) for one in of_type.sentences]


def said_of(spec: PodSpec, type_: str, *containers: tuple[str, ContainerSpec]) -> str:
    """The one sentence of a pod; inodes are left out."""
    ((_, text),) = said(explained(node_with(spec, *containers).folded()), type_)
    return text


def test_containers_that_share_processes_because_the_pod_asked() -> None:
    text = said_of(PodSpec(share_process_namespace=True), "pid", ("app", PLAIN), ("log", PLAIN))

    assert text == (
        "app and log see each other's processes: both joined /proc/4001/ns/pid, the sandbox's "
        "(pid:[4026532211]) because the pod asked for shareProcessNamespace (CRI pid=POD)"
    )


def test_containers_with_processes_of_their_own() -> None:
    text = said_of(PodSpec(), "pid", ("app", PLAIN), ("log", PLAIN))

    assert text.startswith("app and log each see only their own processes: the runtime made a new")
    assert text.endswith(
        "because the pod asked for neither shareProcessNamespace nor hostPID (CRI pid=CONTAINER)"
    )


def test_a_pod_on_the_nodes_network_has_its_host_name_too() -> None:
    spec = PodSpec(host_network=True)

    assert " because the pod asked for hostNetwork (CRI network=NODE)" in said_of(
        spec, "net", ("app", PLAIN)
    )
    assert said_of(spec, "uts", ("app", PLAIN)).endswith(
        "as goes with hostNetwork; CRI cannot ask for it"
    )


def test_a_pod_with_users_of_its_own_says_who_its_root_is() -> None:
    text = said_of(PodSpec(host_users=False), "user", ("app", PLAIN), ("log", PLAIN))

    assert text.startswith(
        "app and log have one mapping of user ids, in which root is uid 65536 on the node: "
        "both joined /proc/4001/ns/user, the sandbox's (user:["
    )
    assert text.endswith(" because the pod asked for hostUsers: false (CRI userns=POD)")


def test_an_ephemeral_container_is_told_with_its_target() -> None:
    text = said_of(PodSpec(), "pid", ("app", PLAIN), ("debugger", ContainerSpec(target="app")))

    assert text.startswith(
        "app and debugger see each other's processes: the runtime made a new one for app, "
        "and debugger joined /proc/4002/ns/pid, app's (pid:["
    )
    assert text.endswith(
        "because the pod asked for neither shareProcessNamespace nor hostPID (CRI pid=CONTAINER), "
        "and because debugger was asked to join app (CRI pid=TARGET id-of-app)"
    )


def test_a_privileged_container_sees_the_nodes_cgroups_because_it_is() -> None:
    text = said_of(PodSpec(), "cgroup", ("app", ContainerSpec(privileged=True)))

    assert text.startswith("app sees the node's whole cgroup tree: the OCI spec gives it no cgroup")
    assert text.endswith(" because it is privileged")


def test_a_container_that_asked_for_something_else_than_its_pod() -> None:
    text = said_of(PodSpec(), "pid", ("app", ContainerSpec(zeros=True)))

    assert text.endswith(" because app asked for the pod's (CRI pid=POD)")


def test_a_pod_that_asked_nothing() -> None:
    text = said_of(PodSpec(options=False), "net", ("app", ContainerSpec(options=False)))

    assert text.endswith(" because CRI asked nothing of it")


def test_an_init_container_that_ended_is_marked() -> None:
    node = node_with(PodSpec(), ("init", PLAIN))
    (ref,) = [pod.ref for pod in node.folded().pods.values()]
    node.end(ref, "init", told=True)
    node.start(ref, "app", PLAIN)

    ((_, net),) = said(explained(node.folded()), "net")

    assert net.startswith("init (ended) and app share one network")


def test_what_is_not_seen_is_said_with_its_reason() -> None:
    kinds = said(explained(odd_node().folded(), "sealed"), "pid")

    assert kinds == [
        (
            SentenceKind.UNKNOWN,
            "whose pid namespace the sandbox is in is not known: no host pid",
        )
    ]


def test_layers_that_disagree_are_quoted_and_no_cause_is_given() -> None:
    found = dict(said(explained(odd_node().folded(), "odd"), "pid"))

    assert found[SentenceKind.DISAGREEMENT] == (
        "the layers of strayed disagree: CRI asked for its own (CONTAINER), the OCI spec makes a "
        "new one, and the process is in the node's (pid:[4026531836])"
    )
    assert found[SentenceKind.HOST].endswith("; the layers of strayed disagree")


def test_a_debugger_whose_target_is_gone_is_said_to_have_joined_it() -> None:
    workloads = odd_node().folded()

    newest = dict(said(explained(workloads, "odd"), "pid"))
    every = dict(said(explained(workloads, "odd", all_attempts=True), "pid"))

    assert newest[SentenceKind.WAS_SHARED].startswith("debugger started in that of unhooked (pid:")
    assert every[SentenceKind.SHARED].startswith("unhooked (ended) and debugger see each other's")


def test_a_process_that_moved_is_told_with_the_record_that_found_it() -> None:
    node = odd_node()
    sandbox = node.run_pod("moving")
    node.move(node.run_container(sandbox, "app"), PID, to="host")

    (of_pid,) = [
        one for one in explained(node.folded(), "moving").types if one.type is NamespaceType.PID
    ]

    changed = of_pid.sentences[-1]
    assert changed.kind is SentenceKind.CHANGED
    assert changed.text.startswith("app was found in another pid namespace than before")
    assert len(node.records) in changed.records


def test_a_container_without_a_process_yet_is_told() -> None:
    node = odd_node()
    sandbox = node.run_pod("waiting")
    node.run_container(sandbox, "app")
    node.records = node.records[:-2]  # neither the hook nor the daemon has seen a process

    kinds = [kind for kind, _ in said(explained(node.folded(), "waiting"), "pid")]

    assert kinds == [SentenceKind.NOT_STARTED]


def test_an_explanation_reads_back_from_json_as_it_was() -> None:
    explanation = explained(odd_node().folded(), "odd")

    assert msgspec.json.decode(msgspec.json.encode(explanation), type=Explanation) == explanation
