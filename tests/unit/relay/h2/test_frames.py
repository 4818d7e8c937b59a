from __future__ import annotations

import pytest
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from nsledger.relay.h2.frames import (
    PADDED,
    PRIORITY,
    FrameError,
    goaway,
    payload_of,
    rst_stream,
    settings_of,
    uint31_of,
    window_update,
)


def _parsed(wire: bytes) -> Frame:
    parsed, length = Frame.parse_frame_header(memoryview(wire[:9]))
    assert len(wire) == 9 + length
    parsed.parse_body(memoryview(wire[9:]))
    return parsed


def test_the_relays_own_frames_are_what_the_library_reads() -> None:
    update, reset, away = (
        _parsed(wire) for wire in (window_update(3, 70_000), rst_stream(5, 7), goaway(9))
    )

    assert isinstance(update, WindowUpdateFrame)
    assert isinstance(reset, RstStreamFrame)
    assert isinstance(away, GoAwayFrame)
    assert (update.stream_id, update.window_increment) == (3, 70_000)
    assert (reset.stream_id, reset.error_code) == (5, 7)
    assert (away.last_stream_id, away.error_code) == (9, 0)


def test_padding_and_priority_are_taken_off() -> None:
    data = DataFrame(1, b"content", pad_length=5, flags=["PADDED"])
    headers = HeadersFrame(1, b"block", pad_length=3, flags=["PADDED", "PRIORITY"])
    headers.stream_weight = 7

    assert payload_of(data.serialize()[9:], PADDED) == b"content"
    assert payload_of(headers.serialize()[9:], PADDED | PRIORITY) == b"block"
    assert payload_of(b"plain", 0) == b"plain"


@pytest.mark.parametrize(
    ("payload", "flags"), [(b"", PADDED), (b"\x05abc", PADDED), (b"abc", PRIORITY)]
)
def test_more_padding_than_payload_is_an_error(payload: bytes, flags: int) -> None:
    with pytest.raises(FrameError):
        payload_of(payload, flags)


def test_settings_are_read_in_their_order() -> None:
    wire = SettingsFrame(0, settings={4: 5, 1: 4096}).serialize()

    assert settings_of(wire[9:]) == [(4, 5), (1, 4096)]
    with pytest.raises(FrameError):
        settings_of(b"12345")


def test_the_reserved_bit_is_not_part_of_a_number() -> None:
    assert uint31_of(b"\x80\x00\x00\x07") == 7
    with pytest.raises(FrameError):
        uint31_of(b"\x00\x00\x07")
