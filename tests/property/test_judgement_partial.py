"""What was not read, or is not known, makes no complaint, no claim, and no error."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nsledger.model.judgement import (
    CONTAINER_PREFIX,
    HOST,
    POD,
    PRIVATE,
    UNKNOWN,
    Judgement,
    LayerPair,
    Rule,
    Verdict,
)
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NO_PROCESS,
    IdMapping,
    NamespaceIdentity,
    NamespaceMode,
    NamespaceReading,
    NamespaceType,
    RequestedNamespaces,
    UserNamespaceRequest,
)
from nsledger.rules.claims import JudgementContext
from nsledger.rules.judgement import judge_container, judge_sandbox
from tests.property.scenarios import Judgements, Scene, mismatches, namespace_types, scenes

modes = st.none() | st.sampled_from(NamespaceMode) | st.integers(4, 2**31 - 1)
maps = st.lists(
    st.builds(IdMapping, st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), max_size=3
).map(tuple)
requests = st.builds(
    RequestedNamespaces,
    net=modes,
    pid=modes,
    ipc=modes,
    target_id=st.none() | st.just("id"),
    user=st.none()
    | st.builds(UserNamespaceRequest, mode=modes.filter(lambda mode: mode is not None), uids=maps),
)
paths = st.sampled_from(
    [f"/proc/{pid}/ns/{type_}" for pid in (0, 1, 2, 3) for type_ in NamespaceType]
    + ["/var/run/netns/cni-1", "/proc/self/ns/net", "relative", "", "/proc/2/ns/pid_for_children"]
)
assignments = st.dictionaries(namespace_types, st.sampled_from([NEW, INHERITED]) | paths)
identities = st.builds(
    NamespaceIdentity,
    dev=st.just(4),
    ino=st.integers(1, 4),
    ns_id=st.none() | st.sampled_from(["1", "2", "3"]),
)
readings = st.builds(
    NamespaceReading,
    pid=st.integers(0, 3),
    start_ticks=st.none() | st.integers(0, 3),
    namespaces=st.dictionaries(namespace_types, identities),
    missing=st.dictionaries(namespace_types, st.sampled_from(["ENOENT", "EACCES", "changed"])),
    uid_map=maps,
    gid_map=maps,
)
surroundings = st.builds(
    JudgementContext,
    host=readings,
    sandbox=st.none() | readings,
    siblings=st.dictionaries(st.sampled_from(["app", "sidecar", ""]), readings),
    target=st.none() | readings,
    pod_requested=st.none() | requests,
    paths=st.dictionaries(paths, identities),
)


def is_sound(type_: NamespaceType, judgement: Judgement, actual: NamespaceReading) -> bool:
    """Whether a judgement says all that it must, and nothing of what was not read."""
    contradicts = judgement.verdict is Verdict.MISMATCH
    must_explain = judgement.verdict in {Verdict.MISMATCH, Verdict.UNOBSERVABLE}
    read = type_ in actual.namespaces
    seen = {LayerPair.REQUESTED_ACTUAL, LayerPair.ASSIGNED_ACTUAL} & set(judgement.differ)
    return (
        contradicts == bool(judgement.differ)
        and must_explain == bool(judgement.reason)
        and bool(Rule(judgement.rule).sentence)
        and (read or (judgement.sharing == UNKNOWN and must_explain))
        and (read or judgement.rule == Rule.REQUESTED_MAPPINGS or not seen)
        and (
            judgement.sharing in {HOST, POD, PRIVATE, UNKNOWN}
            or judgement.sharing.startswith(CONTAINER_PREFIX)
        )
    )


@given(readings, requests, assignments, surroundings)
def test_anything_can_be_judged_and_written(
    actual: NamespaceReading,
    requested: RequestedNamespaces,
    assigned: dict[NamespaceType, str],
    around: JudgementContext,
) -> None:
    for judged in (
        judge_container(actual, requested, assigned, around),
        judge_sandbox(actual, requested, assigned, around.host, around.paths),
    ):
        assert set(judged) == set(NamespaceType)
        assert all(is_sound(type_, one, actual) for type_, one in judged.items()), judged
        assert msgspec.json.decode(msgspec.json.encode(judged), type=Judgements) == judged


def hide(data: st.DataObject, reading: NamespaceReading) -> NamespaceReading:
    hidden = data.draw(st.sets(namespace_types))
    return NamespaceReading(
        pid=reading.pid,
        start_ticks=data.draw(st.sampled_from([reading.start_ticks, None])),
        namespaces={type_: one for type_, one in reading.namespaces.items() if type_ not in hidden},
        missing=dict.fromkeys(hidden, "EACCES"),
        uid_map=data.draw(st.sampled_from([reading.uid_map, ()])),
    )


@given(scenes(), st.data())
def test_what_is_hidden_makes_no_mismatch_and_no_other_sharing(
    scene: Scene, data: st.DataObject
) -> None:
    for one in scene.living:
        around = scene.pod.around(one, scene.node.host)
        hidden = data.draw(st.sets(namespace_types))
        actual = hide(data, one.actual)
        less = JudgementContext(
            host=hide(data, around.host),
            sandbox=None if around.sandbox is None else hide(data, around.sandbox),
            siblings={name: hide(data, sibling) for name, sibling in around.siblings.items()},
            target=None if around.target is None else hide(data, around.target),
            pod_requested=data.draw(st.sampled_from([around.pod_requested, None])),
            paths=data.draw(st.sampled_from([around.paths, {}])),
        )
        assigned = {type_: what for type_, what in one.assigned.items() if type_ not in hidden}

        judged = judge_container(actual, one.requested, assigned, less)

        assert not mismatches(judged)
        for type_, whole in scene.judge(one).items():
            kind, full = judged[type_].sharing.partition(":"), whole.sharing.partition(":")
            assert kind[0] in {full[0], UNKNOWN}


NO_SANDBOX_PROCESS = NamespaceReading(pid=0, missing=dict.fromkeys(NamespaceType, NO_PROCESS))


@given(scene=scenes())
def test_beside_a_sandbox_of_which_nothing_was_read_nothing_is_private(scene: Scene) -> None:
    for one in scene.living:
        around = replace(scene.pod.around(one, scene.node.host), sandbox=None)

        judged = judge_container(one.actual, one.requested, one.assigned, around)

        for type_, judgement in judged.items():
            assert judgement.sharing in {HOST, UNKNOWN}
            targeted = one.requested.mode(type_) is NamespaceMode.TARGET
            if judgement.sharing == UNKNOWN and not targeted:
                assert judgement.verdict in {Verdict.UNOBSERVABLE, Verdict.MISMATCH}


@given(scene=scenes(), pod_known=st.booleans())
def test_a_sandbox_without_a_process_is_no_mismatch(scene: Scene, *, pod_known: bool) -> None:
    for one in scene.living:
        around = replace(
            scene.pod.around(one, scene.node.host),
            sandbox=NO_SANDBOX_PROCESS,
            pod_requested=scene.pod.requested if pod_known else None,
        )

        judged = judge_container(one.actual, one.requested, one.assigned, around)

        assert not mismatches(judged)
        for type_, judgement in judged.items():
            if one.requested.mode(type_) is NamespaceMode.POD:
                assert judgement.verdict is Verdict.UNOBSERVABLE
                assert judgement.reason == "the sandbox has no process"


@given(scenes(), st.integers(4, 2**31 - 1))
def test_a_mode_of_the_future_is_unobservable_and_no_mismatch(scene: Scene, mode: int) -> None:
    requested = RequestedNamespaces(
        net=mode, pid=mode, ipc=mode, user=UserNamespaceRequest(mode=mode)
    )
    for one in scene.living:
        around = replace(scene.pod.around(one, scene.node.host), pod_requested=requested)

        judged = judge_container(one.actual, requested, one.assigned, around)

        for type_, judgement in judged.items():
            future = requested.mode(type_) is not None
            assert judgement.verdict is (Verdict.UNOBSERVABLE if future else Verdict.NOT_REQUESTED)
