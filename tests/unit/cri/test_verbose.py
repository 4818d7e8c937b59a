from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping

import msgspec
import pytest

from nsledger.cri.messages import UndecodableError
from nsledger.cri.verbose_status import ContainerInfo, SandboxInfo, container_info, sandbox_info

Decode = Callable[[Mapping[str, str]], SandboxInfo | ContainerInfo]

both = pytest.mark.parametrize("decode", [sandbox_info, container_info])


@both
def test_an_answer_that_is_not_verbose_tells_nothing(decode: Decode) -> None:
    told = decode({})

    assert told.pid == 0
    assert told.runtime_spec is None


@both
@pytest.mark.parametrize(
    "text",
    [
        "",
        "planted-secret",
        "[]",
        '{"pid": "planted-secret"}',
        '{"runtimeSpec": {"linux": {"namespaces": "planted-secret"}}}',
        '{"runtimeSpec": {"linux": {"namespaces": [{"path": "planted-secret"}]}}}',
    ],
)
def test_a_text_of_no_known_shape_raises_an_error_that_shows_nothing_of_it(
    decode: Decode, text: str
) -> None:
    with pytest.raises(UndecodableError) as caught:
        decode({"info": text})

    assert "planted" not in "\n".join(
        str(error) for error in (caught.value, caught.value.__cause__)
    )
    assert traceback.format_exception_only(caught.value)


@both
@pytest.mark.parametrize("spec", [None, {}, {"linux": None}, {"linux": {"namespaces": None}}])
def test_nulls_and_gaps_are_nothing_to_trip_over(decode: Decode, spec: object) -> None:
    told = decode({"info": json.dumps({"pid": 1, "runtimeSpec": spec, "sandboxMetadata": None})})

    assert told.pid == 1


@both
def test_environment_and_config_are_walked_over(decode: Decode) -> None:
    secret = {
        "pid": 1,
        "config": {"envs": [{"key": "K", "value": "planted-secret"}]},
        "runtimeSpec": {
            "process": {"env": ["K=planted-secret"], "args": ["planted-secret"]},
            "annotations": {"foreign": "planted-secret"},
            "linux": {"namespaces": [{"type": "pid"}], "seccomp": {"x": "planted-secret"}},
        },
    }

    told = decode({"info": json.dumps(secret)})

    assert told.runtime_spec is not None
    assert b"planted-secret" not in msgspec.json.encode(told)
