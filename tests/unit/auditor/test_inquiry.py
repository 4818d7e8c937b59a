from __future__ import annotations

from nsledger.auditor.runtime_status import RuntimeStatusClient, StatusUnavailable
from nsledger.cri.messages import UndecodableError
from nsledger.cri.status import ContainerStatus, SandboxStatus
from tests.unit.auditor.node_in_a_box import FakeRuntime


class Garbling(FakeRuntime):
    def container_status(self, container_id: str) -> ContainerStatus:
        self.asked.append(container_id)
        raise UndecodableError(message_type="ContainerInfo", reason="of no known shape")


def runtime_status(
    runtime: FakeRuntime,
) -> tuple[RuntimeStatusClient, list[FakeRuntime], list[str]]:
    connected: list[FakeRuntime] = []
    reasons: list[str] = []

    def connect() -> FakeRuntime:
        connected.append(runtime)
        return runtime

    return RuntimeStatusClient(connect, on_unanswered=reasons.append), connected, reasons


def test_the_connection_is_made_at_the_first_question_and_once() -> None:
    asking, connected, reasons = runtime_status(FakeRuntime())
    assert not connected

    sandbox, container = asking.sandbox("s1"), asking.container("c1")

    assert isinstance(sandbox, SandboxStatus)
    assert isinstance(container, ContainerStatus)
    assert (len(connected), reasons) == (1, [])


def test_a_runtime_that_does_not_tell_is_said_in_our_words() -> None:
    asking, _, reasons = runtime_status(FakeRuntime(unavailable=True))

    assert asking.sandbox("s1") == StatusUnavailable(
        "Status: the runtime answered DEADLINE_EXCEEDED"
    )
    assert reasons == ["Status: the runtime answered DEADLINE_EXCEEDED"]


def test_an_answer_that_cannot_be_read_is_no_answer() -> None:
    asking, _, reasons = runtime_status(Garbling())

    assert asking.container("c1") == StatusUnavailable("ContainerInfo: of no known shape")
    assert len(reasons) == 1


def test_an_inquiry_that_never_asked_has_nothing_to_close() -> None:
    asking, connected, _ = runtime_status(FakeRuntime())

    asking.close()

    assert not connected


def test_a_connection_that_nobody_needs_is_given_back_and_made_again() -> None:
    runtime, now_s = FakeRuntime(), [100.0]
    connected: list[FakeRuntime] = []

    def connect() -> FakeRuntime:
        connected.append(runtime)
        return runtime

    asking = RuntimeStatusClient(connect, on_unanswered=lambda _: None, now_s=lambda: now_s[0])
    asking.sandbox("s1")

    now_s[0] += 1
    asking.rest()
    asking.sandbox("s1")
    assert len(connected) == 1

    now_s[0] += 60
    asking.rest()
    asking.rest()
    assert isinstance(asking.sandbox("s1"), SandboxStatus)
    assert len(connected) == 2
