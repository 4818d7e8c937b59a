"""The rules before a node on which everybody does as asked: they have nothing to complain of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from nsledger.model.judgement import CONTAINER_PREFIX, HOST, POD, PRIVATE, Verdict
from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.rules.judgement import judge_container
from nsledger.rules.sharing import container_sharing
from tests.property.scenarios import Scene, namespace_types, scenes

identities = st.builds(
    NamespaceIdentity,
    dev=st.just(4),
    ino=st.integers(1, 3),
    ns_id=st.sampled_from(["9007199254740993", "9007199254740995"]),
)


@given(scenes())
def test_nothing_is_a_mismatch_and_nothing_is_unobservable(scene: Scene) -> None:
    for judgements in scene.judge_all():
        verdicts = {judgement.verdict for judgement in judgements.values()}

        assert verdicts <= {Verdict.MATCH, Verdict.NOT_REQUESTED}, judgements


@given(scenes())
def test_what_cri_asked_for_matches_and_the_rest_was_not_requested(scene: Scene) -> None:
    for container in scene.living:
        for type_, judgement in scene.judge(container).items():
            asked = container.requested.mode(type_) is not None

            assert (judgement.verdict is Verdict.MATCH) == asked
            assert judgement.rule.startswith("requested." if asked else "assigned.")


@given(scenes(), namespace_types)
def test_sharing_says_who_is_in_one_namespace(scene: Scene, type_: NamespaceType) -> None:
    hosts, pods = scene.node.host.namespaces[type_], scene.pod.sandbox.namespaces[type_]
    for one in scene.living:
        mine = one.actual.namespaces[type_]
        others = [other for other in scene.living if other is not one]
        mates = [other.name for other in others if other.actual.namespaces[type_] == mine]
        first = CONTAINER_PREFIX + mates[0] if mates else PRIVATE

        sharing = container_sharing(type_, one.actual, scene.pod.around(one, scene.node.host))

        assert sharing == (HOST if mine == hosts else POD if mine == pods else first)


@given(scenes(), namespace_types)
def test_sharing_is_one_relation_whoever_is_asked(scene: Scene, type_: NamespaceType) -> None:
    kind = {
        one.name: scene.judge(one)[type_].sharing.partition(":")[0] + ":" for one in scene.living
    }
    for one in scene.living:
        for other in scene.living:
            if one.actual.namespaces[type_] == other.actual.namespaces[type_]:
                assert kind[one.name] == kind[other.name]
                assert one is other or kind[one.name] != PRIVATE + ":"


@given(scenes(), st.data())
def test_the_order_of_siblings_means_nothing(scene: Scene, data: st.DataObject) -> None:
    for one in scene.living:
        around = scene.pod.around(one, scene.node.host)
        names: Sequence[str] = data.draw(st.permutations(sorted(around.siblings)))
        shuffled = replace(around, siblings={name: around.siblings[name] for name in names})

        judged = judge_container(one.actual, one.requested, one.assigned, shuffled)

        assert judged == scene.judge(one)


@given(identities, identities)
def test_the_kernels_id_decides_whatever_inode_was_reused(
    one: NamespaceIdentity, other: NamespaceIdentity
) -> None:
    assert one.same_as(other) == (one.ns_id == other.ns_id)


@given(drawn=st.lists(identities, min_size=3, max_size=3), with_ids=st.booleans())
def test_being_one_namespace_is_an_equivalence(
    drawn: list[NamespaceIdentity], *, with_ids: bool
) -> None:
    a, b, c = drawn if with_ids else [NamespaceIdentity(dev=i.dev, ino=i.ino) for i in drawn]

    assert a.same_as(a)
    assert a.same_as(b) == b.same_as(a)
    assert c.same_as(a) or not (a.same_as(b) and b.same_as(c))
