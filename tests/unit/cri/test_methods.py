from __future__ import annotations

import pytest

from nsledger.cri.methods import RUNTIME_SERVICE, Method, treatment, watched_method
from nsledger.relay.h2.calls import Treatment

HELD = {Method.RUN_POD_SANDBOX, Method.CREATE_CONTAINER}


@pytest.mark.parametrize("method", Method)
def test_only_requests_that_are_annotated_are_held(method: Method) -> None:
    expected = Treatment.HOLD if method in HELD else Treatment.TAP

    assert treatment(method.path) is expected
    assert watched_method(method.path) is method


@pytest.mark.parametrize("method", Method)
def test_a_kubelet_of_before_1_26_is_watched_as_well(method: Method) -> None:
    path = method.path.replace("v1", "v1alpha2")

    assert treatment(path) is treatment(method.path)
    assert watched_method(path) is method


@pytest.mark.parametrize(
    "path",
    [
        RUNTIME_SERVICE + "ExecSync",
        RUNTIME_SERVICE + "MethodOfTheNextYear",
        "/runtime.v1.ImageService/PullImage",
        "/runtime.v1alpha2.RuntimeService/ExecSync",
        "/runtime.v2.RuntimeService/RunPodSandbox",
        "/RunPodSandbox",
        "",
    ],
)
def test_every_other_method_passes_unseen(path: str) -> None:
    assert treatment(path) is None
    assert watched_method(path) is None


def test_a_path_is_upstreams() -> None:
    assert Method.RUN_POD_SANDBOX.path == "/runtime.v1.RuntimeService/RunPodSandbox"
