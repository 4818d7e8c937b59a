from __future__ import annotations

import json
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.model.namespaces import NamespaceType
from tests.synthetic_node import SyntheticNode
from tests.unit.cli.conftest import Nsledger


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A ledger with a pod that comes, a time when nobody watched, and the pod's end."""
    node = SyntheticNode()
    node.start_daemon()
    moments = [node.now]
    node.wait(10)
    web = node.run_pod("web")
    node.run_container(web, "app")
    moments.append(node.now)
    node.stop_daemon()
    node.wait(10)
    moments.append(node.now)
    node.wait(10)
    node.start_daemon()
    node.stop_pod(web)
    moments.append(node.now)
    return node.write(tmp_path_factory.mktemp("moved") / "ledger"), moments


def test_at_a_moment_a_pod_is_shown_as_it_was_then(
    nsledger: Nsledger, moved: tuple[Path, list[str]]
) -> None:
    ledger, (_, running, _, ended) = moved

    then = nsledger("show", "web", "--ledger", str(ledger), "--utc", "--at", running)
    later = nsledger("show", "web", "--ledger", str(ledger), "--utc", "--at", ended)

    assert then.code == later.code == 0
    assert "running at 2026-11-24 00:04:00,  since" in then.out.splitlines()[0]
    assert "ended at" in later.out.splitlines()[0]
    assert "nobody watched" not in then.out + later.out


def test_at_a_moment_when_nobody_watched_that_is_said(
    nsledger: Nsledger, moved: tuple[Path, list[str]]
) -> None:
    ledger, (_, _, hole, _) = moved
    command = ["show", "web", "--ledger", str(ledger), "--utc", "--at", hole]

    table, as_json = nsledger(*command), nsledger(*command, "-o", "json")

    assert "? nobody watched from 2026-11-24 00:04:00 to 2026-11-24 00:04:20: " in table.out
    assert "what follows is as it was before" in table.out
    assert json.loads(as_json.out)["unwatched"][0]["reason"] == "nsledger serve was stopped"
    assert json.loads(as_json.out)["at"] == hole


def test_a_pod_that_was_not_there_yet_is_unknown_and_told_when_it_was(
    nsledger: Nsledger, moved: tuple[Path, list[str]]
) -> None:
    ledger, (before, *_) = moved

    done = nsledger("show", "web", "--ledger", str(ledger), "--at", before)

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "no pod 'web' among the 0 on record" in done.err
    assert "hint: default/web is on record from 2026-11-24T00:04:00" in done.err


def test_before_the_first_record_there_is_no_answer(
    nsledger: Nsledger, moved: tuple[Path, list[str]]
) -> None:
    done = nsledger("show", "web", "--ledger", str(moved[0]), "--at", "2020-01-01")

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "found a first record of 2026-11-24T00:03:50" in done.err
    assert "knows nothing" in done.err


def test_a_pod_that_never_was_is_only_unknown(
    nsledger: Nsledger, moved: tuple[Path, list[str]]
) -> None:
    done = nsledger("show", "nobody", "--ledger", str(moved[0]), "--at", moved[1][1])

    assert done.code == exit_codes.NO_ANSWER
    assert "is on record from" not in done.err


def test_a_process_that_moved_ends_with_1(nsledger: Nsledger, tmp_path: Path) -> None:
    node = SyntheticNode()
    node.start_daemon()
    app = node.run_container(node.run_pod("web"), "app")
    node.move(app, NamespaceType.PID, to="host")
    ledger = node.write(tmp_path / "ledger")

    table = nsledger("show", "web", "--ledger", str(ledger))
    wide = nsledger("show", "web", "--ledger", str(ledger), "-o", "wide")

    assert table.code == wide.code == exit_codes.FOUND
    assert "* pid: changed since it started, record 8" in wide.out
