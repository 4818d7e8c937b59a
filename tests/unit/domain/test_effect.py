from __future__ import annotations

import pytest

from nsledger.domain import effect
from nsledger.domain.effect import Phrase
from nsledger.domain.namespaces import NamespaceType


@pytest.mark.parametrize("phrases", [effect.SHARED, effect.HOST, effect.PRIVATE])
def test_every_type_has_a_phrase_of_its_own_in_every_form(
    phrases: dict[NamespaceType, Phrase],
) -> None:
    assert phrases.keys() == set(NamespaceType)
    for count, past in ((1, False), (2, False), (1, True)):
        said = {phrase.after(count, past=past) for phrase in phrases.values()}
        assert len(said) == len(NamespaceType)
