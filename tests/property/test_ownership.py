"""whois under reuse: whatever lives and dies, seen or unseen, nobody is named who was not there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from nsledger.model.instants import unix_ns
from nsledger.model.namespaces import NamespaceType
from nsledger.model.record import decode
from nsledger.state.intervals import Interval
from nsledger.state.ownership import intervals
from tests.synthetic_node import SyntheticNode


@dataclass(frozen=True)
class Claim:
    """A process that really is in a namespace at a moment."""

    at: str
    owner: str
    type: NamespaceType
    ino: int
    ns_id: str | None


class Life(RuleBasedStateMachine):
    """Pods come and go, containers crash unseen, daemons and nodes restart."""

    ns_ids = True

    def __init__(self) -> None:
        super().__init__()
        self.node = SyntheticNode(ns_ids=self.ns_ids)
        self.claims: list[Claim] = []

    @initialize()
    def begin(self) -> None:
        self.node.start_daemon()

    @rule()
    def run_pod(self) -> None:
        self.node.run_pod(f"pod-{len(self.node.pods)}")

    @rule(data=st.data(), hook=st.booleans())
    def run_container(self, data: st.DataObject, *, hook: bool) -> None:
        living = [id_ for id_ in self.node.pods if id_ in self.node.readings]
        if living:
            sandbox = data.draw(st.sampled_from(living))
            name = f"container-{len(self.node.containers)}"
            self.node.run_container(sandbox, name, hook=hook)

    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        living = [id_ for id_ in self.node.containers if id_ in self.node.readings]
        if living:
            self.node.crash(data.draw(st.sampled_from(living)))

    @rule(data=st.data())
    def kill_pause(self, data: st.DataObject) -> None:
        """Its containers run on."""
        living = [id_ for id_ in self.node.pods if id_ in self.node.readings]
        if living:
            self.node.kill_pause(data.draw(st.sampled_from(living)))

    @rule(data=st.data())
    def exit_found_later(self, data: st.DataObject) -> None:
        living = [id_ for id_ in self.node.containers if id_ in self.node.readings]
        if living:
            self.node.exit_found_later(data.draw(st.sampled_from(living)), 0.01)

    @rule(data=st.data())
    def end_wrongly(self, data: st.DataObject) -> None:
        """The record says that a container ended, and then that it did not."""
        living = [id_ for id_ in self.node.containers if id_ in self.node.readings]
        if living:
            self.node.resume(data.draw(st.sampled_from(living)))

    @rule(data=st.data())
    def stop_pod(self, data: st.DataObject) -> None:
        living = [id_ for id_ in self.node.pods if id_ in self.node.readings]
        if living:
            self.node.stop_pod(data.draw(st.sampled_from(living)))

    @rule(data=st.data(), hook=st.booleans())
    def restart_container(self, data: st.DataObject, *, hook: bool) -> None:
        """It dies unseen and another one gets its inodes: what a node does all day."""
        living = [id_ for id_ in self.node.containers if id_ in self.node.readings]
        if living:
            gone = data.draw(st.sampled_from(living))
            pod, _ = self.node.containers[gone]
            self.node.crash(gone)
            if pod.pod_sandbox_id not in self.node.readings:
                return
            name = f"container-{len(self.node.containers)}"
            self.node.wait(0.02)
            self.node.run_container(pod.pod_sandbox_id, name, hook=hook)

    @rule()
    def restart_daemon(self) -> None:
        self.node.start_daemon()

    @precondition(lambda self: len(self.node.pods) > 2)
    @rule()
    def reboot(self) -> None:
        self.node.reboot()
        self.node.containers.clear()
        self.node.start_daemon()

    @invariant()
    def remember(self) -> None:
        # A moment later, so that no clock tick is shared by a death and a birth.
        self.node.wait(0.02)
        at = self.node.now
        self.node.wait(0.02)
        for owner, reading in self.node.readings.items():
            for type_, identity in reading.namespaces.items():
                self.claims.append(Claim(at, owner, type_, identity.ino, identity.ns_id))

    def teardown(self) -> None:
        found = defaultdict[int, list[Interval]](list)
        for one in intervals(decode(line) for line in self.node.lines()):
            found[one.identity.ino].append(one)
        for claim in self.claims:
            at = [one for one in found[claim.ino] if covers(one, claim.at)]
            assert any(one.type is claim.type and owner_of(one) == claim.owner for one in at), (
                f"{claim} is not answered"
            )
            assert {one.type for one in at} == {claim.type}, f"{claim}: another type is named"
            if self.ns_ids:
                assert {one.identity.ns_id for one in at} == {claim.ns_id}, f"{claim}: a stranger"


class LifeWithoutIds(Life):
    """A kernel without NS_GET_ID: the type and the birth of a process are all there is."""

    ns_ids = False


def covers(one: Interval, at: str) -> bool:
    moment = unix_ns(at)
    return unix_ns(one.since) <= moment and (one.until is None or moment < unix_ns(one.until))


def owner_of(one: Interval) -> str:
    return one.owner.container.container_id or one.owner.pod.pod_sandbox_id or "host"


LIMITS = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLife = Life.TestCase
TestLife.settings = LIMITS
TestLifeWithoutIds = LifeWithoutIds.TestCase
TestLifeWithoutIds.settings = LIMITS
