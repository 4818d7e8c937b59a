"""What a layer claims of one namespace, in a form in which any two layers can be compared.

A claim is one namespace, or "none of these". A layer that is silent, or whose namespace nobody
read, rules out none and is compatible with every other claim: it disagrees with nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

from nsledger.domain.namespaces import NamespaceIdentity


@dataclass(frozen=True, slots=True)
class Exactly:
    """This namespace."""

    identity: NamespaceIdentity
    doubt: str = ""
    """Why this may not be all that is meant."""


@dataclass(frozen=True, slots=True)
class NoneOf:
    """A namespace that is not among these."""

    identities: tuple[NamespaceIdentity, ...] = ()
    doubt: str = ""
    """Why there may be more to rule out; empty if these are all."""


Claim = Exactly | NoneOf


def compatible(one: Claim, other: Claim) -> bool:
    """Whether there can be a namespace of which both are true."""
    match one, other:
        case Exactly(identity=this), Exactly(identity=that):
            return this.same_as(that)
        case (Exactly(identity=this), NoneOf(identities=others)) | (
            NoneOf(identities=others),
            Exactly(identity=this),
        ):
            return not any(this.same_as(that) for that in others)
        case _:
            return True
