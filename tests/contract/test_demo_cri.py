"""What the demo's kubelet sends is CRI: every field it knows is upstream's."""

from __future__ import annotations

import pytest

from demo.cri import described
from tests.contract.upstream import Upstream

pytestmark = pytest.mark.upstream_proto


@pytest.mark.parametrize(("message", "name", "number", "type_"), list(described()))
def test_a_described_field_is_upstreams(
    message: str, name: str, number: int, type_: str, upstream: Upstream
) -> None:
    theirs = upstream.message(message)
    assert theirs is not None
    field = theirs.fields_by_name[name]

    word = type_.removeprefix("repeated ")
    assert field.number == number
    if field.message_type is None or not field.message_type.GetOptions().map_entry:
        assert field.is_repeated == (word != type_)
    assert word == described_type(field)


def described_type(field: object) -> str:
    raise NotImplementedError
