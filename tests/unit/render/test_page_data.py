from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from nsledger.render.page import Report, page_data
from nsledger.state.coverage import Unwatched
from nsledger.state.matrix import ORDER
from tests.drawing import hostile_node, report_of
from tests.synthetic_node import PID, example_node, odd_node


def told(report: Report) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(page_data(report))
    return found


def strings(value: object) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            return [text for one in value for text in strings(one)]
        case dict():
            return [text for one in value.values() for text in strings(one)]
        case _:
            return []


def pod(report: Report, name: str) -> dict[str, Any]:
    (found,) = [one for one in told(report)["pods"] if one["name"] == name]
    return found  # type: ignore[no-any-return]


def test_a_cell_says_the_words_that_show_says() -> None:
    web = pod(report_of(example_node()), "web")

    app = web["processes"][1]

    assert [cell[:3] for cell in app["cells"]] == [
        ["group", "A", "pod"],
        ["group", "B", "pod"],
        ["group", "C", "pod"],
        ["alone", "", "private"],
        ["alone", "", "private"],
        ["usual", "\u25b2", "host"],
        ["alone", "", "private"],
        ["usual", "\u25b2", "host"],
    ]
    assert (web["host"], app["name"]) == ([], "app")


def test_the_hosts_that_no_ordinary_pod_has_are_told_apart() -> None:
    agent = pod(report_of(example_node()), "node-agent-x7k2p")

    assert [ORDER[at] for at in agent["host"]] == ["net", "ipc", "uts", "pid"]
    assert agent["processes"][1]["cells"][0][0] == "host"


def test_why_layers_disagree_and_what_changed_is_said() -> None:
    node = odd_node()
    node.move(node.run_container(node.run_pod("moving"), "app"), PID, to="host")

    report = report_of(node)

    assert pod(report, "odd")["bad"] == [
        "strayed pid: requested CONTAINER, got host; assigned new, got host"
    ]
    assert pod(report, "moving")["bad"] == ["app pid: changed since it started"]
    assert "bad" not in pod(report, "web")


def test_what_nobody_could_see_says_why() -> None:
    (sandbox,) = pod(report_of(odd_node()), "sealed")["processes"]

    assert {cell[0] for cell in sandbox["cells"]} == {"unknown"}
    assert {cell[8] for cell in sandbox["cells"]} == {"no host pid"}


def test_every_namespace_is_there_with_its_members() -> None:
    report = report_of(example_node())

    found = told(report)

    assert len(found["namespaces"]) == len(report.picture.namespaces)
    hosts = [one for one in found["namespaces"] if one[3] and one[0] == 0]
    assert [found["pods"][at]["name"] for at, _ in hosts[0][4]] == ["node-agent-x7k2p"] * 2


def test_spans_findings_and_holes_are_there() -> None:
    found = told(report_of(odd_node()))

    assert {one[6] for one in found["spans"]} == {None, "stopped", "reused"}
    assert found["findings"][0]["severity"] == "high"
    assert [one[2] for one in found["holes"]] == [
        "gap: queue_full (3)",
        "nsledger serve was stopped",
    ]


def test_a_moment_that_nobody_watched_is_said() -> None:
    hole = Unwatched("2026-11-24T00:00:00Z", "2026-11-24T01:00:00Z", "stopped", (1,))
    report = replace(report_of(example_node()), at=hole.since, unwatched=(hole,), left_out=3)

    found = told(report)

    assert found["unwatched"] == [[hole.since, hole.until, hole.reason]]
    assert (found["at"], found["leftOut"]) == (hole.since, 3)


def test_whatever_others_wrote_can_be_shown_as_it_stands() -> None:
    assert all(text.isprintable() for text in strings(told(report_of(hostile_node()))))
