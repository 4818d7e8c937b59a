from __future__ import annotations

from nsledger.auditor import annotation_cache as module
from nsledger.auditor.annotation_cache import Predictions
from nsledger.model.events import ContainerRequested, Source
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    AssignedNamespaces,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.refs import ContainerRef, PodRef

CGROUP, NET, PID = NamespaceType.CGROUP, NamespaceType.NET, NamespaceType.PID
PREDICTED: AssignedNamespaces = {CGROUP: INHERITED, NET: "/proc/7/ns/net", PID: NEW}


def asked(audit_id: str = "a1") -> ContainerRequested:
    return ContainerRequested(
        source=Source.CRI_PROXY,
        audit_id=audit_id,
        pod=PodRef(),
        container=ContainerRef(name="app"),
        requested=RequestedNamespaces(),
        predicted=PREDICTED,
    )


def test_a_type_that_was_predicted_wrongly_is_disproved_for_that_handler() -> None:
    predictions = Predictions()
    predictions.expect(asked())

    predictions.compare("a1", "with-cgroups", {**PREDICTED, CGROUP: NEW})

    assert predictions.disproved("with-cgroups") == {CGROUP}
    assert not predictions.disproved("")


def test_a_prediction_that_came_true_stays_trusted() -> None:
    predictions = Predictions()
    predictions.expect(asked())

    predictions.compare("a1", "", dict(PREDICTED))

    assert not predictions.disproved("")


def test_another_process_behind_the_same_rule_is_no_fault_of_the_rule() -> None:
    predictions = Predictions()
    predictions.expect(asked())

    predictions.compare("a1", "", {**PREDICTED, NET: "/proc/8/ns/net"})

    assert not predictions.disproved("")


def test_a_spec_that_was_not_seen_disproves_nothing() -> None:
    predictions = Predictions()
    predictions.expect(asked())

    predictions.compare("a1", "", {})
    predictions.compare("unknown", "", {CGROUP: NEW})

    assert not predictions.disproved("")


def test_requests_that_are_never_answered_do_not_pile_up() -> None:
    predictions = Predictions()

    for number in range(module._EXPECTED_LIMIT + 10):
        predictions.expect(asked(str(number)))

    assert len(predictions._expected) == module._EXPECTED_LIMIT
