from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.query.targets import (
    AnyOf,
    ByInode,
    ByNamespaceId,
    ByPid,
    NotAQuestionError,
    Question,
    answers,
    parse,
)
from nsledger.state.intervals import Interval, Owner, OwnerKind

NET, PID = NamespaceType.NET, NamespaceType.PID


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("net:[4026532254]", ByInode(4026532254, NET)),
        ("net:4026532254", ByInode(4026532254, NET)),
        ("pid:[4026532254]", ByInode(4026532254, PID)),
        ("pid:18477", ByPid(18477)),
        ("/proc/18477/ns/net", ByPid(18477, NET)),
        ("ino:4026532254", ByInode(4026532254, None)),
        ("id:0018446744073709551615", ByNamespaceId("18446744073709551615")),
        ("4026532254", AnyOf(4026532254)),
    ],
)
def test_each_way_to_ask_has_one_meaning(text: str, question: Question) -> None:
    assert parse(text) == question


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        "net",
        "net:[4026532254",
        "net:4026532254]",
        "mount:[1]",
        "-1",
        "4e9",
        "\u0661",
        "9" * 99,
    ],
)
def test_what_asks_for_nothing_is_refused(text: str) -> None:
    with pytest.raises(NotAQuestionError):
        parse(text)


@given(st.text(max_size=50))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    with contextlib.suppress(NotAQuestionError):
        parse(text)


def interval(*, ino: int, ns_id: str | None = None, pid: int = 1) -> Interval:
    return Interval(
        boot_id="b",
        type=NET,
        identity=NamespaceIdentity(4, ino, ns_id),
        owner=Owner(OwnerKind.HOST),
        pid=pid,
        since="2026-11-24T00:03:50Z",
    )


@pytest.mark.parametrize(
    ("text", "one", "expected"),
    [
        ("net:[7]", interval(ino=7), True),
        ("pid:[7]", interval(ino=7), False),
        ("ino:7", interval(ino=7), True),
        ("ino:7", interval(ino=8, ns_id="7", pid=7), False),
        ("id:7", interval(ino=8, ns_id="7"), True),
        ("id:7", interval(ino=7, pid=7), False),
        ("pid:7", interval(ino=8, pid=7), True),
        ("/proc/7/ns/net", interval(ino=8, pid=7), True),
        ("/proc/7/ns/uts", interval(ino=8, pid=7), False),
        ("7", interval(ino=7), True),
        ("7", interval(ino=8, ns_id="7"), True),
        ("7", interval(ino=8, pid=7), True),
        ("7", interval(ino=8, ns_id="9", pid=10), False),
    ],
)
def test_only_the_kind_of_number_that_was_meant_counts(
    text: str, one: Interval, *, expected: bool
) -> None:
    assert answers(parse(text), one) is expected
