from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests import ledgers, programs
from tests.synthetic_node import SyntheticNode
from tests.unit.cli.conftest import Nsledger

HOSTILE = "\x7f\x9b2J\u202eevil"


def hostile_ledger(tmp_path: Path) -> Path:
    node = SyntheticNode()
    node.start_daemon()
    node.run_pod(HOSTILE)
    return node.write(tmp_path / "ledger")


def test_jsonl_is_the_ledger_byte_for_byte(nsledger: Nsledger, tmp_path: Path) -> None:
    ledger = hostile_ledger(tmp_path)

    done = nsledger("log", "-o", "jsonl", "--ledger", str(ledger))

    assert done.out.encode() == ledgers.segment(ledger).read_bytes()


def test_to_a_terminal_the_same_jsonl_steers_nothing_and_means_the_same(tmp_path: Path) -> None:
    ledger = hostile_ledger(tmp_path)

    _, out = programs.run(["log", "-o", "jsonl"], programs.environment(ledger), columns=80)

    lines = out.splitlines()
    assert all(line.isprintable() for line in lines)
    assert [json.loads(line) for line in lines] == [
        json.loads(line) for line in ledgers.lines(ledger)
    ]


def test_json_is_one_array_of_the_same_records(nsledger: Nsledger, tmp_path: Path) -> None:
    ledger = hostile_ledger(tmp_path)

    done = nsledger("log", "-o", "json", "--ledger", str(ledger))

    assert json.loads(done.out) == [json.loads(line) for line in ledgers.lines(ledger)]
    assert done.out.replace("\n", "").isprintable()


def test_an_array_of_nothing_is_an_array(nsledger: Nsledger) -> None:
    assert nsledger("log", "-o", "json", "--pod", "nobody").out == "[]\n"


def test_yaml_is_one_document_for_each_record(nsledger: Nsledger, tmp_path: Path) -> None:
    ledger = hostile_ledger(tmp_path)

    done = nsledger("log", "-o", "yaml", "--ledger", str(ledger))

    assert list(yaml.safe_load_all(done.out)) == [
        json.loads(line) for line in ledgers.lines(ledger)
    ]
    assert done.out.replace("\n", "").isprintable()


def test_a_table_is_what_there_is_by_default_and_wide_has_the_numbers(nsledger: Nsledger) -> None:
    assert nsledger("log").out.startswith("TIME")
    assert nsledger("log", "-o", "wide").out.startswith("SEQ")
