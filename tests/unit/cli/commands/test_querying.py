from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.index.views import VIEWS
from tests import programs
from tests.synthetic_node import SyntheticNode
from tests.unit.cli.conftest import Nsledger


def test_the_views_are_listed_with_their_columns(nsledger: Nsledger) -> None:
    done = nsledger("sql", "--schema", "-o", "json")

    listed = {(row["VIEW"], row["COLUMN"]) for row in json.loads(done.out)}
    assert listed == {(view.name, name) for view in VIEWS for name, _ in view.columns}


@pytest.mark.parametrize("view", [view.name for view in VIEWS])
def test_every_view_has_the_columns_it_is_said_to_have(nsledger: Nsledger, view: str) -> None:
    done = nsledger("sql", f"SELECT * FROM {view}", "-o", "csv")  # noqa: S608 - a name of ours

    titles = next(csv.reader(io.StringIO(done.out)))
    (said,) = [[name for name, _ in one.columns] for one in VIEWS if one.name == view]
    assert (done.code, titles) == (exit_codes.OK, said)


def test_rows_are_the_same_in_every_form(nsledger: Nsledger) -> None:
    statement = "SELECT pod, pid, until FROM containers WHERE container = 'app'"

    as_json = json.loads(nsledger("sql", statement, "-o", "json").out)
    as_csv = nsledger("sql", statement, "-o", "csv").out
    as_table = nsledger("sql", statement).out

    assert as_json == [{"pod": "web", "pid": 18501, "until": None}]
    assert as_csv == "pod,pid,until\nweb,18501,\n"
    assert [line.split() for line in as_table.splitlines()] == [
        ["pod", "pid", "until"],
        ["web", "18501", "-"],
    ]


def test_a_namespace_is_listed_with_all_who_share_it(nsledger: Nsledger) -> None:
    statement = "SELECT container FROM namespaces WHERE ino = 4026532257 ORDER BY 1"

    assert json.loads(nsledger("sql", statement, "-o", "json").out) == [
        {"container": ""},
        {"container": "app"},
        {"container": "sidecar"},
    ]


def test_a_pod_without_a_process_has_no_time_of_one(
    nsledger: Nsledger, odd_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NSLEDGER_LEDGER", str(odd_ledger))

    done = nsledger("sql", "SELECT pod, since FROM pods WHERE since IS NULL", "-o", "csv")

    assert done.out == "pod,since\nsealed,\n"


@pytest.mark.parametrize("statement", ["", "  \n"])
def test_no_statement_is_wrong_usage(nsledger: Nsledger, statement: str) -> None:
    done = nsledger("sql", statement)

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert "--schema" in done.err


def test_csv_on_a_terminal_steers_nothing(tmp_path: Path) -> None:
    node = SyntheticNode()
    node.create_ledger()
    node.start_daemon()
    node.run_pod("red\x1b[31m")
    ledger = node.write(tmp_path / "ledger")
    words = ["sql", "SELECT pod FROM pods", "-o", "csv"]

    _, on_terminal = programs.run(words, programs.environment(ledger), columns=80)
    _, in_file = programs.run(words, programs.environment(ledger))

    assert on_terminal.splitlines()[1] == r"red\x1b[31m"
    assert in_file.splitlines()[1] == "red\x1b[31m"


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM process",
        "DROP VIEW pods",
        "SELECT entries FROM process",
        "ATTACH '/etc/passwd' AS other",
        "PRAGMA query_only = OFF",
        "SELECT load_extension('/tmp/x.so')",
        "CREATE TABLE more (x)",
        "SELECT 1; SELECT 2",
        "nonsense",
    ],
)
def test_whatever_is_no_select_over_the_views_is_refused(
    nsledger: Nsledger, statement: str
) -> None:
    done = nsledger("sql", statement)

    assert (done.code, done.out) == (exit_codes.USAGE, "")
    assert done.err.startswith("nsledger: ")


def test_a_statement_has_its_time(nsledger: Nsledger) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    done = nsledger("sql", endless, "--timeout", "0.05")

    assert done.code == exit_codes.USAGE
    assert re.match(r"nsledger: took more than 0\.05 s\nhint: ", done.err)


@pytest.mark.parametrize("arguments", [[], ["--schema", "SELECT 1"]])
def test_a_statement_or_the_schema_is_needed(nsledger: Nsledger, arguments: list[str]) -> None:
    assert nsledger("sql", *arguments).code == exit_codes.USAGE
