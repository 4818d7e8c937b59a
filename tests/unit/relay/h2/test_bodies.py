from __future__ import annotations

import pytest

from nsledger.relay.h2.bodies import HeldRequest, TappedRequest, UnreadableMessageError
from tests.http2_wire import prefixed


def test_a_copy_holds_no_more_than_its_limit() -> None:
    copy = TappedRequest("/a", 10)
    for _ in range(1000):
        copy.add(b"12345")

    assert sum(map(len, copy._chunks)) <= 10
    with pytest.raises(UnreadableMessageError, match="oversized"):
        copy.message()


@pytest.mark.parametrize(
    ("pieces", "ends", "reason"),
    [
        ([prefixed(bytes(20))], True, None),
        ([b"\0", b"\0\0\0\x02", b"a"], False, None),
        ([b"\0\0\0"], False, None),
        ([prefixed(bytes(21))], True, "oversized"),
        ([b"\0\0\0\0\x15"], False, "oversized"),
        ([b"\0\0\0\x00\x02abc"], False, "malformed"),
        ([b"\0\0\0\x00\x02a"], True, "malformed"),
        ([b"\0\0"], True, "malformed"),
        ([b""], True, "malformed"),
        ([b"\x01\0\0\0\x02a"], False, "compressed"),
    ],
)
def test_a_held_body_is_checked_as_early_as_can_be(
    pieces: list[bytes], ends: bool, reason: str | None
) -> None:
    body = HeldRequest("/a")
    for piece in pieces[:-1]:
        body.add(piece, ends=False)
        body.check(20)
    body.add(pieces[-1], ends=ends)

    if reason is None:
        body.check(20)
    else:
        with pytest.raises(UnreadableMessageError, match=reason):
            body.check(20)
