from __future__ import annotations

from nsledger.model.instants import unix_ns
from tools.files_crossed import crossed


def test_files_are_counted_in_which_functions_ran_and_no_others() -> None:
    calls = crossed(lambda: [unix_ns("2026-11-24T00:03:50Z") for _ in range(3)])

    assert set(calls) == {"model/instants.py"}
    assert calls["model/instants.py"] >= 3
