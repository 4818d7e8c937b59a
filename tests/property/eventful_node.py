"""A node to which everything happens that the record can tell of, in any order."""

from __future__ import annotations

import random

from msgspec.structs import replace

from nsledger.model.events import (
    CallFailed,
    ContainerRemoved,
    ContainerStopped,
    ContainerWitnessed,
    DaemonStarted,
    Ending,
    NamespaceChanged,
    PodAssigned,
    PodRequested,
    PodStopped,
    Source,
)
from nsledger.model.namespaces import NamespaceType, RequestedNamespaces
from nsledger.model.record import decode
from nsledger.model.refs import ContainerRef, PodRef
from tests.synthetic_node import MNT, NET, NODE, PID, PLAIN, POD, SyntheticNode

HOST_POD = RequestedNamespaces(net=NODE, pid=NODE, ipc=NODE)
SHARED_PID = RequestedNamespaces(net=POD, pid=POD, ipc=POD)


def eventful_node(chance: random.Random, *, ns_ids: bool) -> SyntheticNode:
    """A node after a few dozen such events."""
    node = SyntheticNode(ns_ids=ns_ids)
    node.create_ledger()
    node.start_daemon()
    happenings = [
        (15, _run_pod),
        (30, _run_container),
        (15, _crash),
        (10, _stop_container),
        (6, _remove_container),
        (7, _stop_pod),
        (4, _remove_pod),
        (3, lambda node, _: node.start_daemon()),
        (1, lambda node, _: node.stop_daemon()),
        (2, _reboot),
        (2, lambda node, _: node.gap("queue_full")),
        (2, _say_again),
        (2, _change),
        (2, _fail),
        (3, _kill_pause),
        (4, _exit_found_later),
        (3, _resume),
        (2, _fail_running),
        (3, _find_behind_the_shim),
        (2, _foreign_engine),
        (2, _refuse_a_pod),
        (1, _hand_over),
        (1, _find_a_pod),
    ]
    weights, actions = zip(*happenings, strict=True)
    for _ in range(chance.randrange(3, 45)):
        (act,) = chance.choices(actions, weights)
        act(node, chance)
        if chance.random() < 0.3:
            node.wait(chance.random() * 5)
        if chance.random() < 0.03:
            node.now_ns -= 2_000_000_000  # somebody set the clock
    return node


def _run_pod(node: SyntheticNode, chance: random.Random) -> None:
    requested = chance.choice([PLAIN, PLAIN, HOST_POD, SHARED_PID])
    node.run_pod(f"pod-{len(node.pods) % 3}", requested=requested)


def _run_container(node: SyntheticNode, chance: random.Random) -> None:
    pods = [id_ for id_ in node.pods if id_ in node.readings]
    if pods:
        strays = chance.random() < 0.15
        whose = chance.choice(["host", *node.readings])
        node.run_container(
            chance.choice(pods),
            chance.choice("abc"),
            hook=chance.random() < 0.7,
            started=chance.random() < 0.8,
            joins={chance.choice([PID, MNT, NET]): whose} if strays else {},
            attempt=chance.randrange(3),
        )


def _a_living_container(node: SyntheticNode, chance: random.Random) -> str | None:
    living = [id_ for id_ in node.containers if id_ in node.readings]
    return chance.choice(living) if living else None


def _crash(node: SyntheticNode, chance: random.Random) -> None:
    if id_ := _a_living_container(node, chance):
        node.crash(id_)


def _stop_container(node: SyntheticNode, chance: random.Random) -> None:
    if id_ := _a_living_container(node, chance):
        node.stop_container(id_)


def _remove_container(node: SyntheticNode, chance: random.Random) -> None:
    if node.containers:
        node.remove_container(chance.choice(list(node.containers)))


def _stop_pod(node: SyntheticNode, chance: random.Random) -> None:
    pods = [id_ for id_ in node.pods if id_ in node.readings]
    if pods:
        node.stop_pod(chance.choice(pods))


def _kill_pause(node: SyntheticNode, chance: random.Random) -> None:
    pods = [id_ for id_ in node.pods if id_ in node.readings]
    if pods:
        node.kill_pause(chance.choice(pods))


def _exit_found_later(node: SyntheticNode, chance: random.Random) -> None:
    if id_ := _a_living_container(node, chance):
        node.exit_found_later(id_, chance.random() * 5)


def _resume(node: SyntheticNode, chance: random.Random) -> None:
    if id_ := _a_living_container(node, chance):
        node.resume(id_)


def _fail_running(node: SyntheticNode, chance: random.Random) -> None:
    if id_ := _a_living_container(node, chance):
        pod, container = node.containers[id_]
        node.say(
            CallFailed(
                source=Source.CRI_PROXY,
                method="StartContainer",
                grpc_status=2,
                pod=pod,
                container=container,
                still_running=True,
            )
        )


def _remove_pod(node: SyntheticNode, chance: random.Random) -> None:
    if node.pods:
        node.remove_pod(chance.choice(list(node.pods)))


def _reboot(node: SyntheticNode, _: random.Random) -> None:
    node.reboot()
    node.containers.clear()
    node.start_daemon()


def _say_again(node: SyntheticNode, chance: random.Random) -> None:
    """The hook's record of an earlier start, held back by the spool, or taken in twice."""
    told = [decode(line).event for line in node.lines()]
    witnessed = [event for event in told if isinstance(event, ContainerWitnessed)]
    if witnessed:
        node.say(chance.choice(witnessed))


def _change(node: SyntheticNode, chance: random.Random) -> None:
    """A process enters another namespace, or makes itself one."""
    id_ = _a_living_container(node, chance)
    if id_ is None:
        return
    pod, container = node.containers[id_]
    before, type_ = node.readings[id_], chance.choice(list(NamespaceType))
    entered = node.readings[chance.choice(list(node.readings))].namespaces[type_]
    into = node._new_namespace() if chance.random() < 0.5 else entered
    actual = replace(before, namespaces={**before.namespaces, type_: into})
    node.readings[id_] = actual
    node.say(
        NamespaceChanged(
            source=Source.RECONCILE,
            pod=pod,
            container=container,
            before=before,
            actual=actual,
            changed=(type_,),
        )
    )


def _fail(node: SyntheticNode, chance: random.Random) -> None:
    if node.pods:
        node.fail("StartContainer", 14, chance.choice(list(node.pods)), "late")


def _find_behind_the_shim(node: SyntheticNode, chance: random.Random) -> None:
    """Somebody starts a container on the runtime's own socket: the hook sees it, or reconcile."""
    pods = [id_ for id_ in node.pods if id_ in node.readings]
    if pods:
        hook = chance.random() < 0.5
        node.run_behind_the_shim(chance.choice(pods), "past", hook=hook, not_before=node.now)


def _foreign_engine(node: SyntheticNode, chance: random.Random) -> None:
    """The hook sees a container of no pod; or a record tells later whose it was."""
    nobodys = [id_ for id_ in node.containers if id_.startswith("f0")]
    if nobodys and chance.random() < 0.5 and node.pods:
        id_ = chance.choice(nobodys)
        pod = node.pods[chance.choice(list(node.pods))]
        event = ContainerStopped if chance.random() < 0.5 else ContainerRemoved
        node.say(
            event(
                source=Source.RECONCILE,
                pod=pod if chance.random() < 0.7 else PodRef(),
                container=ContainerRef(container_id=id_),
            )
        )
        return
    container = ContainerRef(container_id=f"f0{len(node.records):062x}")
    actual = node._read({NET: "host"})
    node.readings[container.container_id] = actual
    node.containers[container.container_id] = PodRef(), container
    node.say(
        ContainerWitnessed(
            source=Source.OCI_HOOK,
            pod=PodRef(),
            container=container,
            stage="createRuntime",
            actual=actual,
            hook_time=node.now,
        )
    )


def _refuse_a_pod(node: SyntheticNode, chance: random.Random) -> None:
    """RunPodSandbox fails, or what became of it is not on record."""
    pod = PodRef(k8s_namespace="default", name=f"pod-{chance.randrange(3)}", uid="never")
    audit_id = f"{len(node.records):016x}"
    node.say(PodRequested(source=Source.CRI_PROXY, audit_id=audit_id, pod=pod, requested=PLAIN))
    if chance.random() < 0.6:
        node.say(
            CallFailed(
                source=Source.CRI_PROXY,
                audit_id=audit_id,
                method="RunPodSandbox",
                grpc_status=2,
                pod=pod,
            )
        )


def _hand_over(node: SyntheticNode, _: random.Random) -> None:
    """Another daemon takes over; what the one before still had under way is told after it."""
    node.start_daemon()
    started = decode(node.lines()[-1]).event
    node.records.pop()
    if isinstance(started, DaemonStarted):
        node.say(replace(started, predecessor_pid=611, pid=613))


def _find_a_pod(node: SyntheticNode, chance: random.Random) -> None:
    """Reconcile finds a pod that nobody told of, or one that is gone from the runtime."""
    if node.pods and chance.random() < 0.5:
        pod = node.pods[chance.choice(list(node.pods))]
        node.say(
            PodStopped(
                source=Source.RECONCILE, not_before=node.now, pod=pod, ending=Ending.VANISHED
            )
        )
        return
    pod = PodRef(
        pod_sandbox_id=f"5f{len(node.records):062x}", k8s_namespace="default", name="found"
    )
    node.pods[pod.pod_sandbox_id] = pod
    node._requested[pod.pod_sandbox_id] = PLAIN
    actual = node._read({})
    node.readings[pod.pod_sandbox_id] = actual
    node.say(PodAssigned(source=Source.RECONCILE, not_before=node.now, pod=pod, actual=actual))
