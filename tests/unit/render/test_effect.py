from __future__ import annotations

import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.render import effects
from nsledger.render.effects import Phrase


@pytest.mark.parametrize("phrases", [effects.SHARED, effects.HOST, effects.PRIVATE])
def test_every_type_has_a_phrase_of_its_own_in_every_form(
    phrases: dict[NamespaceType, Phrase],
) -> None:
    assert phrases.keys() == set(NamespaceType)
    for count, past in ((1, False), (2, False), (1, True)):
        said = {phrase.after(count, past=past) for phrase in phrases.values()}
        assert len(said) == len(NamespaceType)
