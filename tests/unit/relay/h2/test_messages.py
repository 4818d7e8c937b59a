from __future__ import annotations

import pytest

from nsledger.relay.h2.bodies import UnreadableMessageError, announced_bytes, only_message
from tests.http2_wire import prefixed


def test_a_message_comes_back_out_of_its_prefix() -> None:
    assert only_message(prefixed(b"")) == b""
    assert only_message(prefixed(b"x" * 70_000)) == b"x" * 70_000


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed"),
        (b"\0\0\0\0", "malformed"),
        (prefixed(b"abc")[:-1], "malformed"),
        (prefixed(b"abc") + prefixed(b"d"), "malformed"),
        (b"\x01\0\0\0\x01a", "compressed"),
        (b"\x02\0\0\0\x01a", "malformed"),
    ],
)
def test_what_is_not_the_one_plain_message_says_why(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableMessageError) as caught:
        only_message(body)

    assert caught.value.reason == reason


def test_the_length_is_known_before_the_message_is_there() -> None:
    assert announced_bytes(b"\0\0\0\x01") is None
    assert announced_bytes(b"\0\0\0\x01\x02") == 258
