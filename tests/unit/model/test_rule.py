from __future__ import annotations

import pytest

from nsledger.model.judgement import Rule
from nsledger.model.namespaces import INHERITED, NEW, NamespaceMode


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_has_one_sentence_of_its_own(rule: Rule) -> None:
    others = {other.sentence for other in Rule if other is not rule}

    assert rule.sentence.endswith(".")
    assert rule.sentence not in others


def test_rules_are_named_by_the_layer_that_decided_and_the_word_it_used() -> None:
    asked = {f"requested.{mode}" for mode in NamespaceMode}
    assigned = {f"assigned.{word}" for word in (INHERITED, NEW)}

    assert asked | assigned < set(Rule)
