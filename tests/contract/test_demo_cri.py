"""What the demo's kubelet says is CRI: its description of the messages is upstream's."""

from __future__ import annotations

import pytest

from demo.cri import DESCRIPTOR
from tests.contract.upstream import Upstream, described

pytestmark = pytest.mark.upstream_proto


@pytest.mark.parametrize("name", DESCRIPTOR.message_types_by_name)
def test_a_described_field_has_upstreams_name_number_and_type(
    name: str, upstream: Upstream
) -> None:
    theirs = upstream.message(name)

    assert theirs is not None
    for ours in DESCRIPTOR.message_types_by_name[name].fields:
        assert ours.name in theirs.fields_by_name, f"upstream's {name} has no {ours.name}"
        assert described(ours) == described(theirs.fields_by_name[ours.name]), ours.full_name


@pytest.mark.parametrize("name", DESCRIPTOR.enum_types_by_name)
def test_a_described_enum_has_upstreams_names_and_numbers(name: str, upstream: Upstream) -> None:
    ours = {value.name: value.number for value in DESCRIPTOR.enum_types_by_name[name].values}

    assert ours == {value.name: value.number for value in upstream.enum(name).values}
