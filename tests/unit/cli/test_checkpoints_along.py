from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from nsledger.cli import exit_codes
from nsledger.cli.log_formats import CheckpointsAlong
from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.line import Entry
from nsledger.ledger.reader import entries
from nsledger.ledger.writer import LedgerWriter
from tests import checkpoints, ledgers, programs
from tests.unit.cli.conftest import Nsledger


@pytest.fixture
def key(tmp_path: Path) -> Path:
    checkpoints.key(tmp_path / "key")
    return tmp_path / "key"


@pytest.fixture
def file(tmp_path: Path, key: Path, example_ledger: Path) -> Path:
    """Checkpoints of another ledger, and of entries 10, 20 and 38 of the example."""
    file = tmp_path / "checkpoints"
    by = checkpoints.key(key)
    heads = {entry.seq: entry.head for entry in entries(str(example_ledger))}
    other = checkpoints.checkpoint(heads[5], by, of="00" * 16)
    for one in [other, *(checkpoints.checkpoint(heads[seq], by) for seq in (10, 20, 38))]:
        checkpoint_file.append(str(file), one)
    return file


def told(line: str) -> int | str:
    """The number of an entry, or which entry a checkpoint is of."""
    found = json.loads(line)
    return found.get("seq") or f"of {Checkpoint.parse(found['checkpoint']).head.seq}"


def test_an_export_has_each_checkpoint_behind_its_entry(nsledger: Nsledger, file: Path) -> None:
    done = nsledger("log", "-o", "jsonl", "--checkpoints", str(file))

    order = [told(line) for line in done.out.splitlines()]
    assert [order[order.index(one) - 1] for one in ("of 10", "of 20", "of 38")] == [10, 20, 38]
    assert len(order) == 38 + 3


def test_an_export_of_the_newest_entries_has_none_of_older_ones(
    nsledger: Nsledger, file: Path
) -> None:
    done = nsledger("log", "-o", "jsonl", "--checkpoints", str(file), "-n", "20")

    assert [told(line) for line in done.out.splitlines()] == [
        *(19, 20, "of 20"),
        *range(21, 39),
        "of 38",
    ]


def test_an_export_from_a_cursor_on_has_those_that_are_new(
    nsledger: Nsledger, file: Path, example_ledger: Path
) -> None:
    at = next(entry for entry in entries(str(example_ledger)) if entry.seq == 10)
    cursor = f"10:{at.head.digest}"

    done = nsledger("log", "-o", "jsonl", "--checkpoints", str(file), "--cursor", cursor)

    assert [one for one in map(told, done.out.splitlines()) if isinstance(one, str)] == [
        "of 20",
        "of 38",
    ]


def test_what_was_exported_convicts_the_ledger_that_was_changed_since(
    nsledger: Nsledger, file: Path, key: Path, example_ledger: Path, tmp_path: Path
) -> None:
    export = tmp_path / "export.jsonl"
    export.write_text(nsledger("log", "-o", "jsonl", "--checkpoints", str(file)).out)
    held = ("verify", "--checkpoint", str(export), "--key", f"{key}.pub", "-o", "json", "--ledger")
    assert json.loads(nsledger(*held, str(example_ledger)).out)["signed_through"] == 38

    # A copy of the ledger is in the export, too.
    copy = tmp_path / "copy.jsonl"
    copy.write_text(
        "".join(
            line
            for line in export.read_text().splitlines(keepends=True)
            if line.startswith('{"seq"')
        )
    )
    assert json.loads(nsledger(*held, str(copy)).out)["signed_through"] == 38

    cut = tmp_path / "cut"
    shutil.copytree(example_ledger, cut)
    ledgers.replace(cut, ledgers.lines(cut)[:30])
    found = nsledger(*held, str(cut))
    assert found.code == exit_codes.FOUND
    assert json.loads(found.out)["damage"]["kind"] == "truncated"


def test_one_that_is_signed_while_the_export_goes_on_comes_along(
    tmp_path: Path, key: Path, example_ledger: Path
) -> None:
    ledger, file = tmp_path / "ledger", tmp_path / "checkpoints"
    shutil.copytree(example_ledger, ledger)
    first = checkpoints.sign_end(ledger, file, key)
    with subprocess.Popen(
        [*programs.COMMAND, "log", "-f", "-o", "jsonl", "--checkpoints", str(file)],
        env=programs.environment(ledger),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        seen = [told(process.stdout.readline()) for _ in range(39)]
        writer = LedgerWriter.open(str(ledger))
        writer.append([b'{"time":"x"}'])
        writer.close()
        assert told(process.stdout.readline()) == 39
        time.sleep(0.3)
        checkpoints.sign_end(ledger, file, key)
        assert told(process.stdout.readline()) == "of 39"
        process.terminate()

    assert seen == [*range(1, 39), f"of {first.head.seq}"]


@pytest.mark.parametrize("options", [[], ["-o", "json"], ["-o", "jsonl", "-r"]])
def test_they_go_with_jsonl_in_its_order_only(
    nsledger: Nsledger, file: Path, options: list[str]
) -> None:
    done = nsledger("log", "--checkpoints", str(file), *options)

    assert (done.code, done.out) == (exit_codes.USAGE, "")


def test_a_file_that_is_not_there_is_told(nsledger: Nsledger) -> None:
    done = nsledger("log", "-o", "jsonl", "--checkpoints", "/nowhere")

    assert (done.code, done.out) == (exit_codes.NO_ANSWER, "")
    assert "/nowhere" in done.err


def test_a_line_that_is_being_written_is_given_when_it_is_whole(
    tmp_path: Path, key: Path, example_ledger: Path
) -> None:
    last: Entry = list(entries(str(example_ledger)))[-1]
    line = checkpoints.checkpoint(last.head, checkpoints.key(key)).line
    file = tmp_path / "half"
    file.write_text("what a crash left\n" + line[:100])
    along = CheckpointsAlong(str(file), ledger_id=checkpoints.LEDGER_ID, after_seq=0)
    assert list(along.through(last.seq)) == []

    with file.open("a") as more:
        more.write(line[100:])
    along.look_again()

    assert [json.loads(one) for one in along.through(last.seq)] == [{"checkpoint": line[:-1]}]
    along.close()
