"""Our change is taken out of whatever a file has become, or the file is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger.node.reverse import EditedSinceError, content_without_ours, restored
from nsledger.node.root import Content

BEFORE = b"a\nb\nc\nd\ne\nf\ng\n"
AFTER = b"a\nb\nOURS 1\nc\nd\ne\nf changed\ng\n"


def without_ours(now: bytes) -> bytes:
    return restored("/file", before=BEFORE, after=AFTER, now=now)


@pytest.mark.parametrize(
    ("now", "left"),
    [
        (AFTER, BEFORE),
        (b"new head\n" + AFTER, b"new head\n" + BEFORE),
        (AFTER + b"new end", BEFORE + b"new end"),
        (AFTER.replace(b"\nd\n", b"\nD\n"), BEFORE.replace(b"\nd\n", b"\nD\n")),
        (BEFORE, BEFORE),
        (b"all new\n", b"all new\n"),
    ],
)
def test_what_others_changed_stays(now: bytes, left: bytes) -> None:
    assert without_ours(now) == left


@pytest.mark.parametrize(
    "now",
    [AFTER.replace(b"b\nOURS", b"B\nOURS"), AFTER + AFTER, AFTER.replace(b"f changed\n", b"")],
    ids=["a neighbour changed", "twice", "half of it gone"],
)
def test_a_change_that_cannot_be_told_apart_is_refused(now: bytes) -> None:
    with pytest.raises(EditedSinceError) as caught:
        without_ours(now)

    assert caught.value.path == "/file"


lines = st.lists(st.sampled_from([b"a\n", b"b\n", b"c\n"]), max_size=6).map(b"".join)


@given(before=lines, after=lines)
def test_an_untouched_file_gets_its_old_bytes_whatever_they_were(
    before: bytes, after: bytes
) -> None:
    assert restored("/file", before=before, after=after, now=after) == before


def test_a_file_that_we_made_goes_and_one_that_grew_keeps_what_is_not_ours() -> None:
    ours = Content(b"ours\n", 0o644)
    grown = Content(b"theirs\nours\n", 0o600, 1, 1)

    def without(now: Content | None) -> Content | None:
        return content_without_ours("/file", before=None, after=ours, now=now)

    assert without(ours) is None
    assert without(None) is None
    assert without(grown) == Content(b"theirs\n", 0o600, 1, 1)
