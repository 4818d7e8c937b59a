from __future__ import annotations

from msgspec.structs import replace

from nsledger.model.events import ContainerStarted, ContainerWitnessed, PodAssigned, Source
from nsledger.model.namespaces import NamespaceIdentity, RequestedNamespaces
from nsledger.model.record import decode
from nsledger.state.intervals import End, Interval, OwnerKind
from nsledger.state.ownership import intervals
from tests.synthetic_node import CGROUP, MNT, NET, NODE, NSFS, PID, UTS, SyntheticNode


def node(*, ns_ids: bool = True) -> SyntheticNode:
    node = SyntheticNode(ns_ids=ns_ids)
    node.create_ledger()
    node.start_daemon()
    return node


def all_of(node: SyntheticNode) -> list[Interval]:
    return list(intervals(decode(line) for line in node.lines()))


def of(node: SyntheticNode, id_: str) -> dict[str, Interval]:
    """The intervals of one sandbox or container by type."""
    return {
        one.type: one
        for one in all_of(node)
        if id_ == (one.owner.container.container_id or one.owner.pod.pod_sandbox_id)
    }


def test_an_interval_goes_from_the_hooks_clock_to_the_record_of_the_stop() -> None:
    one = node()
    sandbox = one.run_pod("web")
    container = one.run_container(sandbox, "app")
    witnessed_at = decode(one.lines()[6]).event
    one.stop_container(container)

    interval = of(one, container)[PID]

    assert isinstance(witnessed_at, ContainerWitnessed)
    assert interval.since == witnessed_at.hook_time
    assert interval.until == one.now
    assert interval.end is End.STOPPED
    assert interval.evidence == (7, 8, 9)
    assert interval.owner.kind is OwnerKind.CONTAINER
    assert interval.owner.pod.full_name == "default/web"
    assert not interval.seen_since


def test_what_no_record_ends_stays_open() -> None:
    one = node()
    container = one.run_container(one.run_pod("web"), "app")

    assert all(interval.until is None for interval in of(one, container).values())


def test_the_end_of_a_pod_ends_its_sandbox_and_all_its_containers() -> None:
    one = node()
    sandbox = one.run_pod("web")
    containers = [one.run_container(sandbox, name) for name in ("app", "sidecar")]
    one.stop_pod(sandbox)

    for id_ in (sandbox, *containers):
        assert all(interval.end is End.STOPPED for interval in of(one, id_).values())


def test_a_later_attempt_ends_the_earlier_one() -> None:
    one = node()
    sandbox = one.run_pod("web")
    first = one.run_container(sandbox, "app")
    one.crash(first)
    one.wait(1)
    second = one.run_container(sandbox, "app", attempt=1)

    assert of(one, first)[MNT].until == of(one, second)[MNT].since
    assert of(one, second)[MNT].until is None


def test_no_interval_outlives_its_boot() -> None:
    one = node()
    container = one.run_container(one.run_pod("web"), "app")
    one.reboot()
    one.start_daemon()

    intervals_before = [each for each in all_of(one) if each.boot_id.endswith("1")]

    assert {each.end for each in intervals_before} == {End.REBOOTED}
    assert of(one, container)[NET].until == one.now


def test_an_inode_in_use_again_ends_whoever_had_it_before() -> None:
    one = node()
    sandbox = one.run_pod("web")
    gone = one.run_container(sandbox, "gone")
    one.crash(gone)
    one.wait(1)
    heir = one.run_container(sandbox, "heir")
    inherited = of(one, heir)[PID].identity.ino

    old = [each for each in of(one, gone).values() if each.identity.ino == inherited]

    assert [each.end for each in old] == [End.REUSED]
    assert old[0].until == of(one, heir)[PID].since


def test_without_ids_a_new_namespace_at_a_used_inode_still_ends_an_older_process() -> None:
    one = node(ns_ids=False)
    sandbox = one.run_pod("web")
    gone = one.run_container(sandbox, "gone")
    one.crash(gone)
    one.wait(1)
    one.run_container(sandbox, "heir")

    freed = {each.type: each.end for each in of(one, gone).values()}

    assert freed[PID] is freed[MNT] is freed[CGROUP] is End.REUSED
    assert freed[NET] is freed[UTS] is End.STOPPED, "the process is gone from what it shared too"


def test_sharing_is_no_reuse() -> None:
    one = node()
    sandbox = one.run_pod("web")
    containers = [one.run_container(sandbox, name) for name in ("app", "sidecar")]
    agent = one.run_pod("agent", requested=RequestedNamespaces(net=NODE, pid=NODE, ipc=NODE))
    one.run_container(agent, "agent")

    shared = [of(one, id_)[NET] for id_ in (sandbox, *containers)]

    assert len({each.identity.ino for each in shared}) == 1
    assert all(each.until is None for each in all_of(one))


def test_a_process_seen_in_another_namespace_has_left_the_first_one() -> None:
    one = node()
    sandbox = one.run_pod("web")
    container = one.run_container(sandbox, "app", started=False)
    pod, ref = one.containers[container]
    moved = one.readings[container]
    elsewhere = NamespaceIdentity(NSFS, 4026539999, "9999")
    moved = replace(moved, namespaces={**moved.namespaces, NET: elsewhere})
    one.wait(1)
    one.say(ContainerStarted(source=Source.CRI_PROXY, pod=pod, container=ref, actual=moved))

    first, second = [
        each
        for each in all_of(one)
        if each.type is NET and each.owner.container.container_id == container
    ]

    assert (first.end, first.until) == (End.CHANGED, one.now)
    assert (second.since, second.seen_since) == (one.now, True)


def test_what_nobody_saw_begin_says_so() -> None:
    one = node()
    sandbox = one.run_pod("web")
    actual, pod = one.readings[sandbox], one.pods[sandbox]
    found = SyntheticNode()
    found.start_daemon()
    found.say(PodAssigned(source=Source.RECONCILE, pod=pod, actual=actual))

    assert all(each.seen_since for each in of(found, sandbox).values())


def test_a_hooks_record_that_comes_after_the_removal_leaves_nothing_open() -> None:
    one = node()
    sandbox = one.run_pod("web")
    container = one.run_container(sandbox, "app", hook=False, started=False)
    pod, ref = one.containers[container]
    actual = one.readings[container]
    began = one.now
    one.stop_container(container)
    one.remove_container(container)
    for _ in range(256):  # so that it is forgotten
        one.remove_pod(one.run_pod("other"))
    one.say(
        ContainerWitnessed(
            source=Source.OCI_HOOK,
            pod=pod,
            container=ref,
            stage="createRuntime",
            actual=actual,
            hook_time=began,
        )
    )

    assert all(each.end is not None for each in of(one, container).values())
    assert of(one, container)


def test_a_record_that_comes_late_does_not_end_what_came_after_it() -> None:
    one = node()
    sandbox = one.run_pod("web")
    early = one.run_container(sandbox, "early", hook=False, started=False)
    pod, ref = one.containers[early]
    actual, began = one.readings[early], one.now
    one.crash(early)
    one.wait(1)
    late = one.run_container(sandbox, "late")
    one.wait(1)
    one.say(
        ContainerWitnessed(
            source=Source.OCI_HOOK,
            pod=pod,
            container=ref,
            stage="createRuntime",
            actual=actual,
            hook_time=began,
        )
    )

    assert of(one, late)[MNT].until is None
    assert of(one, early)[MNT].end is End.REUSED
    assert of(one, early)[MNT].until == of(one, late)[MNT].since


def test_a_process_that_could_not_be_read_owns_nothing() -> None:
    one = node()
    sandbox = one.run_pod("web")
    pod = replace(one.pods[sandbox], pod_sandbox_id="kata")
    one.say(PodAssigned(source=Source.CRI_PROXY, pod=pod, unobservable="no host pid"))

    assert of(one, "kata") == {}


def test_a_hook_that_reports_late_tells_when_it_really_began() -> None:
    one = node()
    sandbox = one.run_pod("web")
    container = one.run_container(sandbox, "app", hook=False, started=False)
    pod, ref = one.containers[container]
    actual, began = one.readings[container], one.now
    one.wait(60)
    one.say(ContainerStarted(source=Source.RECONCILE, pod=pod, container=ref, actual=actual))
    found = of(one, container)[NET]
    one.say(
        ContainerWitnessed(
            source=Source.OCI_HOOK,
            pod=pod,
            container=ref,
            stage="createRuntime",
            actual=actual,
            hook_time=began,
        )
    )
    known = of(one, container)[NET]

    assert found.seen_since
    assert (known.since, known.seen_since) == (began, False)
