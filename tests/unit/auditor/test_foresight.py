from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.auditor import annotation_cache as module
from nsledger.auditor.annotation_cache import AnnotationCache, Predictions
from nsledger.auditor.node_state import Known
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.methods import Method
from nsledger.model.events import ContainerRequested, Source
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NamespaceMode,
    NamespaceType,
    RequestedNamespaces,
)
from nsledger.model.refs import ContainerRef, PodRef
from tests.unit.auditor.node_in_a_box import (
    FakeCall,
    FakeRuntime,
    answered,
    box,
    create_container,
    only,
    run_pod_sandbox,
    sandbox_answer,
)

CGROUP, PID = NamespaceType.CGROUP, NamespaceType.PID
RUNC = Known(4711, {}, "io.containerd.runc.v2", "handler")
ASKED = RequestedNamespaces(pid=NamespaceMode.CONTAINER)


def disproving(type_: NamespaceType) -> Predictions:
    predictions = Predictions()
    event = ContainerRequested(
        source=Source.CRI_PROXY,
        audit_id="a1",
        pod=PodRef(),
        container=ContainerRef(),
        requested=ASKED,
        predicted={type_: INHERITED},
    )
    predictions.expect(event)
    predictions.compare("a1", "handler", {type_: NEW})
    return predictions


def test_what_was_disproved_is_foreseen_no_more() -> None:
    before = AnnotationCache(Predictions(), cgroup_version=1).get(
        ASKED, RUNC, None, privileged=False
    )
    after = AnnotationCache(disproving(CGROUP), cgroup_version=1).get(
        ASKED, RUNC, None, privileged=False
    )

    assert before.predicted[CGROUP] == INHERITED
    assert after.predicted == {t: one for t, one in before.predicted.items() if t is not CGROUP}


@pytest.mark.parametrize("sandbox", [None, Known(4711, {}, "io.containerd.kata.v2")])
def test_nothing_is_foreseen_where_the_rules_are_not_known(sandbox: Known | None) -> None:
    cached = AnnotationCache(Predictions(), cgroup_version=2).get(
        ASKED, sandbox, None, privileged=False
    )

    assert cached.predicted == {}


def test_a_target_that_was_not_seen_leaves_its_type_open() -> None:
    annotation_cache = AnnotationCache(Predictions(), cgroup_version=2)
    asked = RequestedNamespaces(pid=NamespaceMode.TARGET, target_id="c1")

    assert PID not in annotation_cache.get(asked, RUNC, None, privileged=False).predicted
    with_target = annotation_cache.get(asked, RUNC, Known(99, {}), privileged=False)
    assert with_target.predicted[PID] == "/proc/99/ns/pid"


def test_a_container_that_asks_as_its_pod_did_finds_all_made_ready(tmp_path: Path) -> None:
    runtime = FakeRuntime()
    with box(tmp_path, runtime=runtime) as node:
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        node.settle()
        module._foreseen.cache_clear()
        answered(node, Method.RUN_POD_SANDBOX, run_pod_sandbox(), sandbox_answer())
        node.settle()
        prepared = module._foreseen.cache_info()
        request = pb.CreateContainerRequest.FromString(create_container())
        as_the_pod = pb.NamespaceOption(network=pb.NODE)
        request.config.linux.security_context.namespace_options.CopyFrom(as_the_pod)
        node.interceptor.request_held(
            FakeCall(Method.CREATE_CONTAINER), request.SerializeToString()
        )
        found = module._foreseen.cache_info()
        on_record = node.finish()

    assert (prepared.misses, found.misses) == (1, 1)
    assert found.hits == prepared.hits + 1
    predicted = only(ContainerRequested, on_record).predicted
    assert predicted[NamespaceType.NET] == f"/proc/{runtime.pid}/ns/net"
