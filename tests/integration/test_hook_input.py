"""What the runtime hands to the hook may be broken, huge or hostile; the container starts."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from nsledger_hook import hook
from tests.integration.hook_runs import (
    assert_survived,
    records_in,
    run_hook,
    state_of,
    witness,
)

BROKEN_STATES = {
    "empty": (b"", "state_not_json"),
    "words": (b"not json", "state_not_json"),
    "cut off": (b'{"id": "c0f', "state_not_json"),
    "two": (b'{"id": "a"} {"id": "b"}', "state_not_json"),
    "a list": (b'["id"]', "state_not_json"),
    "nested": (b"[" * 100_000, "state_not_json"),
    "a long number": (b'{"pid": ' + b"9" * 10_000 + b"}", "state_not_json"),
    "latin-1": (b'{"id": "caf\xe9"}', "state_not_utf8"),
    "pid as text": (state_of("1"), "field_invalid"),
    "pid below zero": (state_of(-1), "field_invalid"),
    "pid out of range": (state_of(1 << 40), "field_invalid"),
    "pid true": (b'{"id": "c", "pid": true}', "field_invalid"),
    "id as number": (state_of(None, id=7), "field_invalid"),
    "bundle as object": (state_of(None, bundle={}), "field_invalid"),
    "bundle with a null byte": (state_of(None, bundle="/a\0b"), "config_unreadable"),
    "no such bundle": (state_of(None, bundle="/nonexistent"), "config_unreadable"),
}


@pytest.mark.parametrize(("state", "word"), BROKEN_STATES.values(), ids=BROKEN_STATES)
def test_a_state_that_makes_no_sense_leaves_a_record_that_says_so(
    state: bytes, word: str, tmp_path: Path
) -> None:
    run = run_hook(state, "--spool", tmp_path)

    assert_survived(run)
    (record,) = records_in(tmp_path)
    assert record["errors"] == [word]
    assert word in run.stderr


def test_bytes_that_are_not_utf8_cost_no_namespace(tmp_path: Path) -> None:
    state = state_of(os.getpid(), id="cafe").replace(b"cafe", b"caf\xe9")

    run = run_hook(state, "--spool", tmp_path)

    assert_survived(run)
    (record,) = records_in(tmp_path)
    assert record["container_id"] == "caf\N{REPLACEMENT CHARACTER}"
    assert set(record["namespaces"]) == set(hook.TYPES)


def test_half_of_a_character_that_json_can_escape_is_no_half_in_the_record(tmp_path: Path) -> None:
    record = witness(state_of(None, id="\ud83d"), tmp_path)

    assert record["container_id"] == "?"


BROKEN_CONFIGS = {
    "not json": (b"{", "config_not_json"),
    "not utf-8": (b'{"linux": {"namespaces": []}, "x": "\xff"}', "config_not_utf8"),
    "not a list": (b'{"linux": {"namespaces": 1}}', "config_malformed"),
    "a word for an entry": (b'{"linux": {"namespaces": ["pid"]}}', "config_malformed"),
    "a number for a type": (b'{"linux": {"namespaces": [{"type": 1}]}}', "config_malformed"),
    "a number for a path": (
        b'{"linux": {"namespaces": [{"type": "pid", "path": 1}]}}',
        "config_malformed",
    ),
    "a path without end": (
        b'{"linux": {"namespaces": [{"type": "pid", "path": "/%s"}]}}' % (b"a" * 100_000),
        "config_malformed",
    ),
}


@pytest.mark.parametrize(("config", "word"), BROKEN_CONFIGS.values(), ids=BROKEN_CONFIGS)
def test_a_config_that_makes_no_sense_costs_only_what_it_assigns(
    config: bytes, word: str, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_bytes(config)
    spool = tmp_path / "spool"
    spool.mkdir()

    run = run_hook(state_of(os.getpid(), bundle=str(tmp_path)), "--spool", spool)

    assert_survived(run)
    (record,) = records_in(spool)
    assert record["errors"] == [word]
    assert set(record["namespaces"]) == set(hook.TYPES)
    assert (record["assigned"] is None) == (word != "config_not_utf8")


def test_a_fifo_for_a_config_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "config.json")
    spool = tmp_path / "spool"
    spool.mkdir()

    run = run_hook(state_of(os.getpid(), bundle=str(tmp_path)), "--spool", spool)

    assert_survived(run)
    (record,) = records_in(spool)
    assert record["errors"] == ["config_not_json"]


@pytest.mark.parametrize("size_bytes", [1 << 20, 15 << 20], ids=["1 MB", "15 MB"])
def test_a_state_of_megabytes_is_read_and_understood(size_bytes: int, tmp_path: Path) -> None:
    annotations = {"huge": "a" * size_bytes, "nsledger.dev/audit-id": "audit-1"}

    record = witness(state_of(os.getpid(), annotations=annotations), tmp_path)

    assert record["annotations"] == {"nsledger.dev/audit-id": "audit-1"}
    assert len(json.dumps(record)) < 4096


def test_a_state_past_the_limit_is_read_to_the_end_all_the_same(tmp_path: Path) -> None:
    # run_hook writes all of it: a hook that closed stdin early would break its pipe.
    run = run_hook(state_of(1, annotations={"huge": "a" * (20 << 20)}), "--spool", tmp_path)

    assert_survived(run)
    (record,) = records_in(tmp_path)
    assert record["errors"] == ["state_too_long"]


def test_the_last_of_two_annotations_with_one_key_counts_as_in_any_json(tmp_path: Path) -> None:
    key = '"nsledger.dev/audit-id"'
    state = f'{{"id": "c", "annotations": {{{key}: "first", {key}: "last"}}}}'.encode()

    record = witness(state, tmp_path)

    assert record["annotations"] == {"nsledger.dev/audit-id": "last"}


def test_an_annotation_too_long_to_be_meant_is_left_out(tmp_path: Path) -> None:
    annotations = {"nsledger.dev/audit-id": "a" * 513, "io.kubernetes.cri.sandbox-id": "sandbox"}

    run = run_hook(state_of(None, annotations=annotations), "--spool", tmp_path)

    assert_survived(run)
    (record,) = records_in(tmp_path)
    assert record["annotations"] == {"io.kubernetes.cri.sandbox-id": "sandbox"}
    assert record["errors"] == ["field_invalid"]


@pytest.mark.parametrize("container_id", ["../../etc/passwd", "/", ".hidden", "a\nb", "é" * 400])
def test_a_hostile_id_stays_inside_the_spool(container_id: str, tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()

    record = witness(state_of(None, id=container_id), spool)

    assert record["container_id"] == container_id
    (path,) = tmp_path.rglob("*.json")
    assert path.parent == spool
    assert re.fullmatch(r"\d{19}-\d+-[A-Za-z0-9._-]{1,128}\.json", path.name)
