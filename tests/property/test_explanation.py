"""No sentence of an explanation claims what the kernel, in truth, contradicts."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given

from nsledger.model.judgement import HOST, PRIVATE, UNKNOWN, Verdict
from nsledger.model.namespaces import NamespaceType
from nsledger.render.explanation import Explanation, Sentence, SentenceKind, explain
from nsledger.state.matrix import ORDER, Matrix, Process, pod_matrix
from tests.property.recorded_node import RecordedNode, conforming, disturbed


def explanations(node: RecordedNode) -> Iterator[tuple[Matrix, Explanation]]:
    workloads = node.folded()
    for pod in workloads.pods.values():
        matrix = pod_matrix(pod, workloads.host, all_attempts=True)
        yield matrix, explain(matrix)


def claims(node: RecordedNode) -> Iterator[tuple[Matrix, NamespaceType, Sentence]]:
    for matrix, explanation in explanations(node):
        for of_type in explanation.types:
            for sentence in of_type.sentences:
                yield matrix, of_type.type, sentence


@given(disturbed())
def test_those_who_are_said_to_share_are_in_one_namespace(node: RecordedNode) -> None:
    for _, type_, sentence in claims(node):
        if sentence.kind is not SentenceKind.SHARED:
            continue
        ever = node.readings | node.dead
        truly = {ever[id_].namespaces[type_] for id_ in sentence.ids}
        assert len({one.owner_ino for one in truly}) == 1, sentence
        assert truly != {node.node.host.namespaces[type_]}
        assert len(sentence.ids) > 1
        assert len(sentence.namespaces) == 1


@given(disturbed())
def test_those_who_are_said_to_be_in_the_hosts_are(node: RecordedNode) -> None:
    for _, type_, sentence in claims(node):
        for id_ in sentence.ids:
            if sentence.kind is SentenceKind.HOST and id_ in node.readings:
                mine = node.readings[id_].namespaces[type_]
                assert mine.same_as(node.node.host.namespaces[type_]), sentence


@given(disturbed())
def test_those_who_are_said_to_be_alone_are(node: RecordedNode) -> None:
    for matrix, type_, sentence in claims(node):
        if sentence.kind is not SentenceKind.PRIVATE:
            continue
        for id_ in sentence.ids:
            if id_ not in node.readings:
                continue
            mine = node.readings[id_].namespaces[type_]
            assert not mine.same_as(node.node.host.namespaces[type_]), sentence
            for other in matrix.processes:
                if other.id != id_ and other.id in node.readings:
                    theirs = node.readings[other.id].namespaces[type_]
                    assert not mine.same_as(theirs), sentence


@given(disturbed())
def test_every_container_is_spoken_of_for_every_type(node: RecordedNode) -> None:
    for matrix, explanation in explanations(node):
        assert tuple(one.type for one in explanation.types) == ORDER
        containers = {row.id for row in matrix.processes if row.kind == "container"}
        for of_type in explanation.types:
            spoken_of = {id_ for sentence in of_type.sentences for id_ in sentence.ids}
            assert containers <= spoken_of
            assert spoken_of


@given(disturbed())
def test_a_cause_is_only_given_where_layers_were_compared_and_agree(node: RecordedNode) -> None:
    for matrix, type_, sentence in claims(node):
        rows = [row for row in matrix.processes if row.id in sentence.ids]
        if " because " in sentence.text:
            assert any(agrees(row, type_) for row in rows), sentence
        if sentence.kind is SentenceKind.DISAGREEMENT:
            assert [row.namespaces[type_].verdict for row in rows] == [Verdict.MISMATCH]


def agrees(row: Process, type_: NamespaceType) -> bool:
    cell = row.namespaces[type_]
    return cell.verdict in {Verdict.MATCH, Verdict.NOT_REQUESTED} and not cell.changed


@given(disturbed())
def test_every_claim_has_its_records(node: RecordedNode) -> None:
    told_of = {record.seq: record.event for record in node.records()}

    for _, _, sentence in claims(node):
        assert sentence.records
        assert list(sentence.records) == sorted(set(sentence.records))
        assert told_of.keys() >= set(sentence.records)


@given(disturbed())
def test_explain_never_says_what_show_denies(node: RecordedNode) -> None:
    """Whose a cell is in the table, it is in the sentences; or it is unknown in both."""
    for matrix, explanation in explanations(node):
        for of_type in explanation.types:
            for row in matrix.processes:
                cell = row.namespaces[of_type.type]
                kinds = {one.kind for one in of_type.sentences if row.id in one.ids}
                told = kinds & SAID_BY_SHARING
                if cell.group:
                    assert told == {SentenceKind.SHARED}
                elif cell.sharing == HOST:
                    assert told == {SentenceKind.HOST}
                elif cell.sharing == PRIVATE:
                    assert told == {SentenceKind.PRIVATE}
                elif cell.sharing == UNKNOWN:
                    assert told <= {SentenceKind.UNKNOWN, SentenceKind.NOT_STARTED}
                else:
                    assert told <= {SentenceKind.WAS_SHARED, SentenceKind.PRIVATE}
                    assert SentenceKind.PRIVATE not in told or row.kind == "sandbox"
                assert (SentenceKind.DISAGREEMENT in kinds) == (cell.verdict is Verdict.MISMATCH)
                assert (SentenceKind.CHANGED in kinds) == bool(cell.changed)


SAID_BY_SHARING = {
    SentenceKind.SHARED,
    SentenceKind.HOST,
    SentenceKind.PRIVATE,
    SentenceKind.WAS_SHARED,
    SentenceKind.UNKNOWN,
    SentenceKind.NOT_STARTED,
}
"""The kinds that say whose namespace it is."""


@given(disturbed())
def test_no_cause_names_what_is_not_so(node: RecordedNode) -> None:
    for matrix, type_, sentence in claims(node):
        cells = [row.namespaces[type_] for row in matrix.processes if row.id in sentence.ids]
        if "as goes with hostNetwork" in sentence.text:
            assert {cell.sharing for cell in cells} == {HOST}
        if "asked for no user namespace" in sentence.text:
            assert None in {cell.requested for cell in cells}


@given(conforming())
def test_of_a_conforming_node_there_is_no_bad_news_and_nothing_is_unknown(
    node: RecordedNode,
) -> None:
    for _, explanation in explanations(node):
        assert not explanation.bad_news
        for of_type in explanation.types:
            for sentence in of_type.sentences:
                assert sentence.kind is not SentenceKind.UNKNOWN, sentence
                assert "not on record" not in sentence.text
                assert "not compared" not in sentence.text
