"""Every outside input has limits of its own, and what is past them stops nothing but itself."""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsledger import bounds
from nsledger.cri.messages import UndecodableError
from nsledger.cri.verbose_status import container_info, requested_in, sandbox_info
from nsledger.daemon.config import ConfigurationError, read
from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint_file import NoCheckpointsError
from nsledger.ledger.checkpoint_key import KeyUnusableError, SigningKey
from nsledger.model.record import UnreadableRecordError, decode, decode_event
from nsledger.relay.h2.responses import _grpc_status
from nsledger.relay.handover_protocol import HandoverConnection, HandoverError, TakeOver

DEEP = b"[" * 100_000 + b"]" * 100_000

json_values = st.recursive(
    st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def depth_of(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(depth_of, value.values()), default=0)
        case list():
            return 1 + max(map(depth_of, value), default=0)
        case _:
            return 0


@given(json_values, st.booleans())
def test_depth_is_that_of_the_value_and_text_has_none(value: object, ascii_only: bool) -> None:
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    depth = depth_of(value)

    bounds.check_depth(data, depth)
    if depth:
        with pytest.raises(bounds.OutOfBoundsError):
            bounds.check_depth(data, depth - 1)


def test_at_the_limit_is_within_and_one_more_is_not() -> None:
    bounds.check(b"[[]]", most_bytes=4, depth=2)

    for data, reason in ((b"[[] ]", "too_long"), (b"[[[", "too_deep")):
        with pytest.raises(bounds.OutOfBoundsError) as caught:
            bounds.check(data, most_bytes=4, depth=2)
        assert caught.value.reason == reason


def test_no_text_makes_looking_at_it_slow() -> None:
    bounds.check_depth(b'"\\' * 2_000_000 + b"[" * 100, 200)
    bounds.check_depth(b'"' + b"a" * 4_000_000 + b"[" * 300, 300)


@pytest.mark.parametrize("read_it", [decode, decode_event])
def test_a_record_that_is_too_deep_is_unreadable(read_it: Callable[[bytes], object]) -> None:
    record = b'{"seq":1,"prev":"","time":"","mono_ns":1,"boot_id":"","event":"gap","x":%b}' % DEEP

    with pytest.raises(UnreadableRecordError, match="levels"):
        read_it(record)


@pytest.mark.parametrize("pid", ["-1", str(2**31), str(2**63), "9" * 5000])
def test_a_pid_that_is_none_makes_a_status_undecodable(pid: str) -> None:
    info = {"info": '{"pid":' + pid + "}"}

    for parse in (sandbox_info, container_info):
        with pytest.raises(UndecodableError):
            parse(info)
    assert requested_in('{"config":{"linux":' + DEEP.decode() + "}}") is None


def test_a_status_that_is_too_deep_is_undecodable() -> None:
    for parse in (sandbox_info, container_info):
        with pytest.raises(UndecodableError):
            parse({"info": '{"x":' + DEEP.decode() + "}"})


@pytest.mark.parametrize(
    "text",
    [
        b"x = " + DEEP,
        b"queue_limit = " + b"9" * 5000,
        b"queue_limit = 0x" + b"f" * 50_000,
        b"#" * (bounds.CONFIGURATION_BYTES + 1),
        b"\xff",
    ],
)
def test_a_configuration_past_the_limits_is_refused_in_words(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "nsledger.toml").write_bytes(text)

    with pytest.raises(ConfigurationError):
        read(str(tmp_path / "nsledger.toml"))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_no_name_that_is_no_file_is_waited_for(tmp_path: Path, make: Callable[[str], None]) -> None:
    make(str(tmp_path / "name"))

    for open_it in (read, checkpoint_file.read):
        with pytest.raises(OSError, match="regular file"):
            open_it(str(tmp_path / "name"))
    with pytest.raises(KeyUnusableError):
        SigningKey.load(str(tmp_path / "name"))


@pytest.mark.parametrize(
    "line",
    [
        b'{"checkpoint":"","x":' + DEEP + b"}\n",
        b'{"checkpoint":"","x":"' + b"x" * bounds.CHECKPOINT_LINE_BYTES + b'"}\n',
        b"\0" * (3 << 20),
    ],
)
def test_a_checkpoint_file_past_the_limits_is_named_with_the_line(
    tmp_path: Path, line: bytes
) -> None:
    (tmp_path / "file").write_bytes(b"{}\n" + line)

    with pytest.raises(NoCheckpointsError, match=":2: "):
        checkpoint_file.read(str(tmp_path / "file"))


@pytest.mark.parametrize(
    ("told", "status"),
    [(b"0", 0), (b"14", 14), (b"9" * 9, 999_999_999), (b"9" * 4301, None), (b"", None)],
)
def test_a_status_of_thousands_of_digits_is_none(told: bytes, status: int | None) -> None:
    assert _grpc_status([(b"grpc-status", told)]) == status


@pytest.mark.parametrize("word", [DEEP, b'{"type":"take_over","pid":' + DEEP + b"}", b"\xff"])
def test_a_word_on_the_control_socket_that_is_too_deep_is_a_broken_hand_over(word: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, io.BytesIO(word + b"\n") as words:
        ours.settimeout(5)
        _send_in_background(ours, words.read())
        connection = HandoverConnection(theirs)
        with pytest.raises(HandoverError):
            connection.hear(TakeOver, timeout_s=5)
        connection.close()


def _send_in_background(sock: socket.socket, data: bytes) -> None:
    import threading  # noqa: PLC0415 - of this test alone

    threading.Thread(target=sock.sendall, args=(data,), daemon=True).start()


def test_every_limit_is_below_what_the_parser_takes() -> None:
    """Under a stack as deep as pytest's: the limit is reached before the parser's is."""
    for name, depth in vars(bounds).items():
        if name.endswith("_DEPTH"):
            msgspec.json.decode(b"[" * depth + b"]" * depth)
