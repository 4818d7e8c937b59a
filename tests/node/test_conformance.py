"""Real containerd through the shim, where a scripted runtime would prove less."""

from __future__ import annotations

import threading
import time
from functools import partial

import grpc
import pytest

from demo.cri import Client
from demo.pods import Pod
from nsledger.model.events import ContainerRequested, ContainerStarted, PodRequested
from tests.node.conftest import GENERATIONS, AuditedNode, Run
from tests.patience import usual

EXECS = 30
EVENTS = "/runtime.v1.RuntimeService/GetContainerEvents"


@pytest.mark.parametrize("audited", GENERATIONS[:1], indirect=True)
def test_a_pod_of_a_kubelet_that_speaks_v1alpha2_is_annotated_and_on_record(
    audited: AuditedNode,
) -> None:
    with Client(audited.shim.paths.socket, version="v1alpha2") as client:
        kubelet = audited.node.kubelet(client)
        running = kubelet.run(Pod(name="alpha"))
        container_id = running.containers["app"]
        started = audited.event(ContainerStarted, container_id)
        spec = kubelet.container_info(container_id)["runtimeSpec"]
        kubelet.remove(running)

    assert started.witnessed
    assert started.actual is not None
    requested = {
        record.event.audit_id: record.event
        for record in audited.shim.records()
        if isinstance(record.event, PodRequested | ContainerRequested)
    }
    asked = requested[spec["annotations"]["nsledger.dev/audit-id"]]
    assert isinstance(asked, ContainerRequested)
    assert asked.container.name == "app"
    assert asked.pod.name == "alpha"


def test_commands_that_run_long_in_containers_do_not_delay_a_short_call(
    audited: AuditedNode, run_audited: Run
) -> None:
    running = run_audited(Pod(name="busy"))
    with Client(audited.shim.paths.socket) as client:
        execute = partial(
            client.call,
            "ExecSync",
            container_id=running.containers["app"],
            cmd=["sleep", "6"],
            timeout=60,
        )
        threads = [threading.Thread(target=execute) for _ in range(EXECS)]
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        took_s: list[float] = []
        for _ in range(10):
            began_s = time.monotonic()
            client.call("Version")
            took_s.append(time.monotonic() - began_s)
        under_way = sum(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join()

    assert under_way > EXECS / 2
    assert usual(took_s) < 0.5


@pytest.mark.parametrize("audited", GENERATIONS[1:], indirect=True)
def test_containerds_event_stream_goes_through_as_it_happens(
    audited: AuditedNode, run_audited: Run
) -> None:
    with grpc.insecure_channel(
        f"unix:{audited.shim.paths.socket}", options=[("grpc.default_authority", "localhost")]
    ) as channel:
        subscribe: grpc.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(EVENTS)
        events = subscribe(b"", timeout=30)
        time.sleep(2)  # no answer says that one has subscribed

        running = run_audited(Pod(name="eventful"))

        container_id = running.containers["app"].encode()
        assert any(container_id in event for event in events)
        events.cancel()
