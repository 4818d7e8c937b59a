"""The rules against a model node: no complaint where all do as asked, the right one where not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nsledger.domain.judgement import (
    CONTAINER_PREFIX,
    HOST,
    POD,
    PRIVATE,
    Judgement,
    LayerPair,
    Verdict,
    container_sharing,
    judge_container,
    judge_sandbox,
)
from nsledger.domain.namespaces import (
    NamespaceType,
)
from tests.property.conforming_node import (
    Container,
    Node,
    Pod,
)
from tests.property.scenarios import Scene, scenes

types = st.sampled_from(list(NamespaceType))
ASKED = LayerPair.REQUESTED_ASSIGNED, LayerPair.REQUESTED_ACTUAL
GOT = LayerPair.REQUESTED_ACTUAL, LayerPair.ASSIGNED_ACTUAL

Judgements = dict[NamespaceType, Judgement]


def of_container(node: Node, pod: Pod, container: Container) -> Judgements:
    around = pod.around(container, node.host)
    return judge_container(container.actual, container.requested, container.assigned, around)


def of_sandbox(node: Node, pod: Pod) -> Judgements:
    return judge_sandbox(pod.sandbox, pod.requested, pod.assigned, node.host, pod.paths)


def mismatches(judgements: Judgements) -> dict[NamespaceType, tuple[LayerPair, ...]]:
    return {
        type_: judgement.differ
        for type_, judgement in judgements.items()
        if judgement.verdict is Verdict.MISMATCH
    }


# --- a node on which everybody does as asked -----------------------------------------------------


@given(scenes())
def test_a_conforming_node_has_no_mismatch_and_nothing_unobservable(scene: Scene) -> None:
    everything = [of_sandbox(scene.node, scene.pod)]
    everything += [of_container(scene.node, scene.pod, one) for one in scene.living]

    for judgements in everything:
        verdicts = {judgement.verdict for judgement in judgements.values()}
        assert verdicts <= {Verdict.MATCH, Verdict.NOT_REQUESTED}, judgements


@given(scenes())
def test_each_type_that_cri_asked_for_matches_and_no_other_does(scene: Scene) -> None:
    for container in scene.living:
        for type_, judgement in of_container(scene.node, scene.pod, container).items():
            asked = container.requested.mode(type_) is not None
            assert (judgement.verdict is Verdict.MATCH) == asked
            assert judgement.rule.startswith("requested." if asked else "assigned.")


@given(scenes(), types)
def test_sharing_says_who_is_in_one_namespace(scene: Scene, type_: NamespaceType) -> None:
    sharing = {
        one.name: container_sharing(type_, one.actual, scene.pod.around(one, scene.node.host))
        for one in scene.living
    }

    for one in scene.living:
        mine = one.actual.namespaces[type_]
        mates = [
            other.name
            for other in scene.living
            if other is not one and other.actual.namespaces[type_] == mine
        ]
        if mine == scene.node.host.namespaces[type_]:
            assert sharing[one.name] == HOST
        elif mine == scene.pod.sandbox.namespaces[type_]:
            assert sharing[one.name] == POD
        elif mates:
            assert sharing[one.name] == CONTAINER_PREFIX + mates[0]
        else:
            assert sharing[one.name] == PRIVATE
        assert all(
            sharing[mate].partition(":")[0] == sharing[one.name].partition(":")[0] for mate in mates
        )


@given(scenes(), types, st.randoms(use_true_random=False))
def test_the_order_of_siblings_means_nothing(
    scene: Scene, type_: NamespaceType, random: object
) -> None: ...
