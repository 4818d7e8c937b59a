from __future__ import annotations

import time

from nsledger.proc.process import NodeClock


def test_a_moment_holds_both_clocks_and_the_boot() -> None:
    before = (time.time_ns(), time.monotonic_ns())

    moment = NodeClock("b1").now()

    assert before[0] <= moment.time_ns <= time.time_ns()
    assert before[1] <= moment.mono_ns <= time.monotonic_ns()
    assert moment.boot_id == "b1"
