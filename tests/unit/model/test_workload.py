from __future__ import annotations

import msgspec

from nsledger.model.refs import ContainerRef, PodRef


def test_a_pod_is_called_by_its_kubernetes_name_or_by_what_is_left_of_it() -> None:
    assert PodRef(k8s_namespace="default", name="web").full_name == "default/web"
    assert PodRef(name="web").full_name == "web"
    assert PodRef(pod_sandbox_id="0123456789abcdef").full_name == "0123456789abc"


def test_a_reference_is_completed_by_what_another_record_knew() -> None:
    by_hook = ContainerRef(container_id="c1", name="app")
    by_shim = ContainerRef(container_id="c1", name="app", attempt=3, image="local/app:1")

    assert by_hook.completed_by(by_shim) == by_shim
    assert by_shim.completed_by(by_hook) == by_shim
    assert by_hook.completed_by(by_hook) is by_hook


def test_what_was_known_first_stays() -> None:
    first = PodRef(pod_sandbox_id="p1", name="web")

    completed = first.completed_by(PodRef(pod_sandbox_id="p1", name="other", uid="u"))

    assert completed == PodRef(pod_sandbox_id="p1", name="web", uid="u")


def test_what_is_not_known_takes_no_room_in_a_record() -> None:
    assert msgspec.json.encode(PodRef(name="web")) == b'{"name":"web"}'
    assert msgspec.json.encode(ContainerRef()) == b"{}"
