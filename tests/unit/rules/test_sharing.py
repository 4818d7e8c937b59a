from __future__ import annotations

import pytest

from nsledger.model.judgement import HOST, POD, PRIVATE, UNKNOWN, UNNAMED_CONTAINER
from nsledger.model.namespaces import NO_PROCESS, NamespaceIdentity, NamespaceReading, NamespaceType
from nsledger.rules.claims import JudgementContext
from nsledger.rules.sharing import container_sharing, sandbox_sharing

PID = NamespaceType.PID


def process(ino: int | None, *, start_ticks: int | None = None) -> NamespaceReading:
    """A process in the pid namespace `ino`; None if that could not be read."""
    namespaces = {} if ino is None else {PID: NamespaceIdentity(dev=4, ino=ino)}
    return NamespaceReading(pid=7, start_ticks=start_ticks, namespaces=namespaces)


HOSTS, SANDBOX = process(1), process(2)


@pytest.mark.parametrize(("ino", "sharing"), [(1, HOST), (2, POD), (3, PRIVATE), (None, UNKNOWN)])
def test_a_container_is_in_the_hosts_in_the_pods_or_alone(ino: int | None, sharing: str) -> None:
    around = JudgementContext(host=HOSTS, sandbox=SANDBOX)

    assert container_sharing(PID, process(ino), around) == sharing


@pytest.mark.parametrize(("ino", "sharing"), [(1, HOST), (2, POD), (None, UNKNOWN)])
def test_what_a_sandbox_has_of_its_own_is_the_pods(ino: int | None, sharing: str) -> None:
    assert sandbox_sharing(PID, process(ino), HOSTS) == sharing


def test_the_pod_of_a_host_namespace_is_the_host() -> None:
    around = JudgementContext(host=HOSTS, sandbox=HOSTS, siblings={"app": HOSTS})

    assert container_sharing(PID, process(1), around) == HOST


def test_of_several_in_one_namespace_the_eldest_is_named() -> None:
    siblings = {
        "z-app": process(3, start_ticks=10),
        "a-debugger": process(3, start_ticks=20),
        "b-of-unknown-age": process(3),
    }
    around = JudgementContext(host=HOSTS, sandbox=SANDBOX, siblings=siblings)

    assert container_sharing(PID, process(3, start_ticks=30), around) == "container:z-app"


def test_a_target_that_is_not_among_the_siblings_has_no_name() -> None:
    around = JudgementContext(host=HOSTS, sandbox=SANDBOX, target=process(3))

    assert container_sharing(PID, process(3), around) == UNNAMED_CONTAINER


@pytest.mark.parametrize(
    "around",
    [
        JudgementContext(host=process(None), sandbox=SANDBOX),
        JudgementContext(host=HOSTS, sandbox=process(None)),
        JudgementContext(host=HOSTS, sandbox=SANDBOX, siblings={"app": process(None)}),
    ],
    ids=["host", "sandbox", "sibling"],
)
def test_nobody_is_called_private_before_all_were_looked_at(around: JudgementContext) -> None:
    assert container_sharing(PID, process(3), around) == UNKNOWN


def test_a_pod_whose_host_was_not_read_may_be_the_host() -> None:
    assert container_sharing(PID, process(2), JudgementContext(process(None), SANDBOX)) == UNKNOWN
    assert sandbox_sharing(PID, SANDBOX, process(None)) == UNKNOWN


def test_beside_a_sandbox_without_a_process_there_is_nothing_to_share() -> None:
    sandbox = NamespaceReading(pid=0, missing={PID: NO_PROCESS})

    assert container_sharing(PID, process(3), JudgementContext(HOSTS, sandbox=sandbox)) == PRIVATE


def test_of_a_sandbox_that_was_not_read_it_is_not_known_what_it_shares() -> None:
    assert container_sharing(PID, process(3), JudgementContext(HOSTS, sandbox=None)) == UNKNOWN
