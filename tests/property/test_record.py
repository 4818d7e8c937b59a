"""Whatever can be said can be written and read back; whatever is read does no harm."""

from __future__ import annotations

import contextlib
import types
import typing
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsledger.model.events import Event
from nsledger.model.namespaces import NamespaceMode
from nsledger.model.record import Moment, UnreadableRecordError, decode, encode

EVERY_EVENT = typing.get_args(Event)
integers = st.integers(0, 2**64 - 1)
any_text = st.text(max_size=20)
moments = st.builds(Moment, st.integers(0, 2**62), st.integers(0, 2**62), st.uuids().map(str))


def values_of(type_: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  # a type hint is any object
    """Values of a field's type, as far as events use types."""
    if type_ == NamespaceMode | int:
        return st.sampled_from(NamespaceMode) | st.integers(4, 2**31 - 1)
    if typing.get_origin(type_) in {types.UnionType, typing.Union}:
        return st.one_of(*(values_of(one) for one in typing.get_args(type_)))
    match typing.get_origin(type_):
        case origin if origin is dict:
            key, value = typing.get_args(type_)
            return st.dictionaries(values_of(key), values_of(value), max_size=3)
        case origin if origin is tuple:
            return st.lists(values_of(typing.get_args(type_)[0]), max_size=3).map(tuple)
        case typing.Annotated:
            (meta,) = type_.__metadata__
            return st.integers(meta.ge, meta.le)
        case _:
            pass
    if type_ is bool:
        return st.booleans()
    if issubclass(type_, str) and type_ is not str:
        return st.sampled_from(list(type_))
    plain = {int: integers, str: any_text, types.NoneType: st.none()}
    return plain[type_] if type_ in plain else structs_of(type_)


def structs_of(struct: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Structs with every field drawn."""
    hints = typing.get_type_hints(struct, include_extras=True)
    names = struct.__struct_fields__
    return st.builds(struct, **{name: values_of(hints[name]) for name in names})


@pytest.mark.parametrize("event_type", EVERY_EVENT)
@settings(max_examples=40)
@given(data=st.data(), at=moments)
def test_every_event_is_read_back_as_it_was_written(
    event_type: type[msgspec.Struct], data: st.DataObject, at: Moment
) -> None:
    event = data.draw(structs_of(event_type))

    line = b'{"seq":1,"prev":"",' + encode(event, at)[1:]

    record = decode(line)
    assert (record.event, record.mono_ns, record.boot_id) == (event, at.mono_ns, at.boot_id)
    assert b"\n" not in line


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_refused(line: bytes) -> None:
    with contextlib.suppress(UnreadableRecordError):
        decode(line)


@given(st.data())
def test_a_record_with_some_bytes_changed_is_a_record_or_refused(data: st.DataObject) -> None:
    event = data.draw(structs_of(data.draw(st.sampled_from(EVERY_EVENT))))
    line = bytearray(b'{"seq":1,"prev":"",' + encode(event, Moment(0, 0, "b"))[1:])
    for _ in range(data.draw(st.integers(1, 3))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(UnreadableRecordError):
        decode(bytes(line))
