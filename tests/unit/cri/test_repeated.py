from __future__ import annotations

import pytest

from nsledger.cri.verbose_status import requested_in
from nsledger.model.namespaces import NamespaceMode, RequestedNamespaces


def info(options: str) -> str:
    config = f'{{"linux":{{"security_context":{{"namespace_options":{options}}}}}}}'
    return f'{{"pid":7,"config":{config}}}'


def test_what_is_left_out_is_pod_and_a_number_without_a_name_stays() -> None:
    assert requested_in(info('{"pid":3,"target_id":"c1","ipc":9}')) == RequestedNamespaces(
        net=NamespaceMode.POD, pid=NamespaceMode.TARGET, ipc=9, target_id="c1"
    )


@pytest.mark.parametrize(
    "told",
    [
        "",
        "not JSON",
        "null",
        "{}",
        '{"config":null}',
        info('{"pid":"CONTAINER"}'),
    ],
)
def test_a_status_that_does_not_tell_is_no_answer(told: str) -> None:
    assert requested_in(told) is None


@pytest.mark.parametrize(
    "told",
    [
        '{"config":{"linux":null}}',
        '{"config":{"linux":{"security_context":{}}}}',
        info("null"),
    ],
)
def test_a_request_without_options_asked_for_nothing(told: str) -> None:
    assert requested_in(told) == RequestedNamespaces()
