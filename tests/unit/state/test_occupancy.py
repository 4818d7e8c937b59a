from __future__ import annotations

import pytest

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.state.intervals import Interval, Occupancy, Owner, OwnerKind

NET, UTS = NamespaceType.NET, NamespaceType.UTS


def interval(
    type_: NamespaceType = NET, *, ns_id: str | None = None, start_ticks: int | None = None
) -> Interval:
    return Interval(
        boot_id="b",
        type=type_,
        identity=NamespaceIdentity(4, 7, ns_id),
        owner=Owner(OwnerKind.HOST),
        pid=1,
        start_ticks=start_ticks,
        since="2026-11-24T00:03:50Z",
    )


@pytest.mark.parametrize(
    ("there", "comes", "is_new", "cannot_both_be"),
    [
        (interval(ns_id="1"), interval(ns_id="1"), False, False),
        (interval(ns_id="1"), interval(ns_id="2"), False, True),
        (interval(UTS), interval(NET), False, True),
        (interval(), interval(), False, False),
        (interval(ns_id="1"), interval(), False, False),
        (interval(start_ticks=1), interval(start_ticks=2), True, True),
        (interval(start_ticks=1), interval(start_ticks=2), False, False),
        (interval(start_ticks=2), interval(start_ticks=2), True, False),
        (interval(start_ticks=3), interval(start_ticks=2), True, False),
        (interval(), interval(start_ticks=2), True, False),
        (interval(ns_id="1", start_ticks=1), interval(ns_id="1", start_ticks=2), True, False),
    ],
)
def test_only_what_the_kernel_rules_out_is_a_rival(
    there: Interval, comes: Interval, *, is_new: bool, cannot_both_be: bool
) -> None:
    occupancy = Occupancy()
    occupancy.add("there", there)
    occupancy.add("comes", comes)

    rivals = list(occupancy.rivals("comes", comes, is_new=is_new))

    assert rivals == ([("there", there)] if cannot_both_be else [])


def test_what_was_taken_out_is_no_rival() -> None:
    occupancy = Occupancy()
    occupancy.add("there", interval(ns_id="1"))
    occupancy.remove("there", interval(ns_id="1"))

    assert not list(occupancy.rivals("comes", interval(ns_id="2"), is_new=True))
