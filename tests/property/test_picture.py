"""The picture on nodes to which everything happens: it is true, and can always be drawn."""

from __future__ import annotations

import itertools
import random

from hypothesis import given
from hypothesis import strategies as st

from nsledger.model.judgement import HOST
from nsledger.render import mermaid, page, svg
from nsledger.state.matrix import ORDER
from tests.drawing import picture_of, report_of
from tests.property.eventful_node import eventful_node

chances = st.randoms(use_true_random=False)


@given(chances, st.booleans())
def test_of_each_type_every_process_that_was_read_is_in_one_namespace(
    chance: random.Random, ns_ids: bool
) -> None:
    drawn = picture_of(eventful_node(chance, ns_ids=ns_ids))

    for type_ in ORDER:
        members = [
            member for one in drawn.namespaces if one.type is type_ for member in one.members
        ]
        assert len(members) == len(set(members))
        assert set(members) == {
            member
            for member in drawn.members()
            if drawn.cell(member, type_).actual is not None
            or drawn.cell(member, type_).sharing == HOST
        }


@given(chances, st.booleans())
def test_within_a_pod_it_is_the_groups_that_show_has(chance: random.Random, ns_ids: bool) -> None:
    drawn = picture_of(eventful_node(chance, ns_ids=ns_ids))

    for one in drawn.namespaces:
        for mine, theirs in itertools.pairwise(one.members):
            if mine.pod == theirs.pod and not one.is_host:
                groups = {drawn.cell(member, one.type).group for member in (mine, theirs)}
                assert len(groups) == 1
                assert None not in groups


@given(chances, st.booleans())
def test_who_lives_and_is_drawn_together_is_together(chance: random.Random, ns_ids: bool) -> None:
    node = eventful_node(chance, ns_ids=ns_ids)
    drawn = picture_of(node)

    for one in drawn.namespaces:
        living = [
            node.readings[drawn.process(member).id].namespaces[one.type]
            for member in one.members
            if drawn.process(member).id in node.readings
        ]
        assert len({(identity.ino, identity.ns_id) for identity in living}) <= 1


@given(chances, st.booleans())
def test_every_node_can_be_drawn(chance: random.Random, ns_ids: bool) -> None:
    node = eventful_node(chance, ns_ids=ns_ids)
    drawn = picture_of(node)

    assert "</html>" in page.draw(report_of(node))
    for text in (mermaid.draw(drawn), svg.draw(drawn)):
        assert text.endswith("\n")
