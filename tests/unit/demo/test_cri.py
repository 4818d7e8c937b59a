"""Requests from plain values: the bytes that go out."""

from __future__ import annotations

import pytest
from google.protobuf import json_format

from demo import cri


def test_values_become_the_message_of_that_name() -> None:
    request = cri.message(
        "CreateContainerRequest",
        {"config": {"envs": [{"key": "K", "value": "V"}], "linux": {"security_context": {}}}},
    )

    # Fields 2 (config) > 6 (envs) > 1, 2; 15 (linux) > 2 (security_context), present and empty.
    assert request.SerializeToString() == b"\x12\x0c\x32\x06\x0a\x01K\x12\x01V\x7a\x02\x12\x00"


def test_a_mode_is_named_as_cri_names_it() -> None:
    options = cri.message("NamespaceOption", {"pid": "TARGET", "target_id": "c"})

    assert options.SerializeToString() == b"\x10\x03\x22\x01c"


def test_a_misspelt_field_is_refused() -> None:
    with pytest.raises(json_format.ParseError, match="hostNetwork"):
        cri.message("NamespaceOption", {"hostNetwork": "NODE"})


def test_a_message_that_is_not_described_is_refused() -> None:
    with pytest.raises(KeyError):
        cri.message("UpdateRuntimeConfigRequest", {})
