from __future__ import annotations

from msgspec.structs import replace

from nsledger.model.namespaces import NEW, NamespaceIdentity, NamespaceType
from nsledger.state.matrix import ORDER, Cell, Process, grouped

NET, PID = NamespaceType.NET, NamespaceType.PID


def process(
    name: str,
    inodes: dict[NamespaceType, int],
    *,
    ns_ids: bool = False,
    since: str = "2026-11-24T00:00:00Z",
    until: str | None = None,
    sharing: str = "pod",
) -> Process:
    return Process(
        kind="container",
        id=name,
        name=name,
        attempt=0,
        image="",
        pid=1,
        state="running",
        since=since,
        seen_since=False,
        until=until,
        unobservable="",
        evidence=(),
        namespaces={
            type_: Cell(
                sharing=sharing,
                verdict=None,
                reason="",
                requested=None,
                assigned=None,
                actual=NamespaceIdentity(4, inodes[type_], str(inodes[type_]) if ns_ids else None)
                if type_ in inodes
                else None,
            )
            for type_ in ORDER
        },
    )


def letters(*rows: Process, type_: NamespaceType = NET) -> list[str | None]:
    return [row.namespaces[type_].group for row in grouped(rows)]


def test_each_shared_namespace_has_a_letter_of_its_own() -> None:
    rows = [
        process("a", {NET: 1, PID: 10}),
        process("b", {NET: 1, PID: 11}),
        process("c", {NET: 2, PID: 11}),
        process("d", {NET: 2, PID: 12}),
    ]

    assert letters(*rows) == ["A", "A", "B", "B"]
    assert letters(*rows, type_=PID) == [None, "C", "C", None]


def test_the_hosts_has_no_letter_since_it_has_a_sign() -> None:
    rows = [process(name, {NET: 1}, sharing="host") for name in "ab"]

    assert letters(*rows) == [None, None]


def test_what_was_not_read_is_shared_with_nobody() -> None:
    assert letters(process("a", {}), process("b", {})) == [None, None]


def test_an_inode_that_two_had_one_after_the_other_is_not_shared() -> None:
    gone = process("a", {NET: 1}, until="2026-11-24T01:00:00Z")
    heir = process("b", {NET: 1}, since="2026-11-24T01:00:00.000000000Z")

    assert letters(gone, heir) == letters(heir, gone) == [None, None]


def test_an_id_tells_sharing_even_from_what_is_gone() -> None:
    gone = process("a", {NET: 1}, ns_ids=True, until="2026-11-24T01:00:00Z")
    heir = process("b", {NET: 1}, ns_ids=True, since="2026-11-24T01:00:00Z")

    assert letters(gone, heir) == ["A", "A"]


def test_letters_do_not_run_out() -> None:
    rows = [process(f"{at}{twin}", {NET: at}) for at in range(30) for twin in "xy"]

    found = letters(*rows)

    assert found[-2:] == ["DD", "DD"]
    assert len(set(found)) == 30


def test_a_new_namespace_with_an_old_number_that_nobody_compared_is_not_shared() -> None:
    elder = process("a", {NET: 1})
    younger = process("b", {NET: 1}, since="2026-11-24T00:01:00Z")
    cell = replace(younger.namespaces[NET], assigned=NEW)
    younger = replace(younger, namespaces=younger.namespaces | {NET: cell})

    assert letters(elder, younger) == letters(younger, elder) == [None, None]
