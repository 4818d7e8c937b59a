from __future__ import annotations

import itertools

from nsledger.model.namespaces import NamespaceIdentity
from nsledger.rules.claims import Claim, Exactly, NoneOf, compatible

ONE, TWO = NamespaceIdentity(dev=4, ino=1), NamespaceIdentity(dev=4, ino=2)


def test_one_namespace_is_not_another() -> None:
    assert compatible(Exactly(ONE), Exactly(NamespaceIdentity(dev=4, ino=1, owner_ino=9)))
    assert not compatible(Exactly(ONE), Exactly(TWO))


def test_a_namespace_that_was_ruled_out_cannot_be_it() -> None:
    assert not compatible(Exactly(ONE), NoneOf((TWO, ONE)))
    assert compatible(Exactly(ONE), NoneOf((TWO,)))


def test_there_is_always_one_more_namespace() -> None:
    assert compatible(NoneOf((ONE,)), NoneOf((TWO,)))


def test_a_layer_that_says_nothing_disagrees_with_nobody() -> None:
    claims: list[Claim] = [Exactly(ONE), NoneOf((ONE, TWO)), NoneOf(doubt="not read")]

    assert all(compatible(NoneOf(), claim) for claim in claims)


def test_it_does_not_matter_who_is_asked_first() -> None:
    claims: list[Claim] = [Exactly(ONE), Exactly(TWO), NoneOf((ONE,)), NoneOf((ONE, TWO)), NoneOf()]

    for one, other in itertools.product(claims, claims):
        assert compatible(one, other) == compatible(other, one)
