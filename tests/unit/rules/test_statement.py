from __future__ import annotations

import pytest

from nsledger.model.judgement import Rule
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
)
from nsledger.rules import claims
from nsledger.rules.claims import ClaimResolver, Exactly, JudgementContext, NoneOf

PID = NamespaceType.PID
HOST, SANDBOX, TARGET, APP = (NamespaceIdentity(dev=4, ino=ino) for ino in (1, 2, 3, 4))


def process(identity: NamespaceIdentity, pid: int) -> NamespaceReading:
    return NamespaceReading(pid=pid, namespaces={PID: identity})


VIEW = ClaimResolver(
    PID,
    process(APP, 40),
    JudgementContext(
        host=process(HOST, 1), sandbox=process(SANDBOX, 20), target=process(TARGET, 30)
    ),
)


@pytest.mark.parametrize(
    ("mode", "to_container", "to_sandbox"),
    [
        (NamespaceMode.NODE, Exactly(HOST), Exactly(HOST)),
        (NamespaceMode.POD, Exactly(SANDBOX), VIEW.own()),
        (NamespaceMode.CONTAINER, VIEW.own(), VIEW.own()),
        (NamespaceMode.TARGET, Exactly(TARGET), VIEW.own()),
    ],
)
def test_cris_words_mean_one_thing_to_a_container_and_another_to_a_sandbox(
    mode: NamespaceMode, to_container: Exactly | NoneOf, to_sandbox: Exactly | NoneOf
) -> None:
    container = claims.requested(VIEW, mode, claims.ASKED_OF_CONTAINER)
    sandbox = claims.requested(VIEW, mode, claims.ASKED_OF_SANDBOX)

    assert (container.claim, sandbox.claim) == (to_container, to_sandbox)
    assert container.rule is sandbox.rule is Rule(f"requested.{mode}")
    assert container.words == f"requested {mode}"


def test_a_mode_that_is_not_known_rules_nothing_out_and_says_why() -> None:
    said = claims.requested(VIEW, 7, claims.ASKED_OF_CONTAINER)

    assert said.claim == NoneOf(doubt="mode 7 is not known to this version")
    assert said.rule is Rule.REQUESTED_UNKNOWN


@pytest.mark.parametrize(
    ("assignment", "claim", "rule"),
    [
        (INHERITED, Exactly(HOST), Rule.ASSIGNED_INHERITED),
        (NEW, VIEW.own(), Rule.ASSIGNED_NEW),
        ("/proc/20/ns/pid", Exactly(SANDBOX), Rule.ASSIGNED_PATH),
        (None, NoneOf(), Rule.ASSIGNED_UNKNOWN),
    ],
)
def test_an_oci_spec_keeps_the_hosts_makes_a_new_one_or_joins_a_path(
    assignment: str | None, claim: Exactly | NoneOf, rule: Rule
) -> None:
    said = claims.assigned(VIEW, assignment)

    assert (said.claim, said.rule) == (claim, rule)


def test_the_kernel_says_where_the_process_is() -> None:
    said = claims.actual(VIEW, "private")

    assert (said.words, said.claim) == ("got private", Exactly(APP))
