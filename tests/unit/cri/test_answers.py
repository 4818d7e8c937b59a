from __future__ import annotations

from collections.abc import Callable

import pytest

from nsledger.cri.created import (
    RestoredPod,
    decode_create_container_answer,
    decode_restore_pod_answer,
    decode_run_pod_sandbox_answer,
)
from nsledger.cri.generated import nsledger_cri_pb2 as pb
from nsledger.cri.messages import UndecodableError


def test_a_new_sandbox_has_an_id() -> None:
    answer = pb.RunPodSandboxResponse(pod_sandbox_id="s1").SerializeToString()

    assert decode_run_pod_sandbox_answer(answer) == "s1"


def test_a_new_container_has_an_id() -> None:
    answer = pb.CreateContainerResponse(container_id="c1").SerializeToString()

    assert decode_create_container_answer(answer) == "c1"


def test_a_restored_pod_names_its_containers() -> None:
    answer = pb.RestorePodResponse(
        pod_sandbox_id="s1",
        restored_containers=[
            pb.RestoredContainer(name="app", container_id="c1"),
            pb.RestoredContainer(name="log", container_id="c2"),
        ],
    )

    assert decode_restore_pod_answer(answer.SerializeToString()) == RestoredPod(
        pod_sandbox_id="s1", container_ids={"app": "c1", "log": "c2"}
    )


@pytest.mark.parametrize(
    "decode",
    [decode_run_pod_sandbox_answer, decode_create_container_answer, decode_restore_pod_answer],
)
def test_what_is_no_answer_is_undecodable(decode: Callable[[bytes], object]) -> None:
    with pytest.raises(UndecodableError):
        decode(b"\x0a\x7f")
