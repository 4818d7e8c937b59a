from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from nsledger.index import lock, opening
from nsledger.index.entries import seal
from nsledger.index.opening import NAME, opened, reading, usable
from nsledger.index.records import Records
from nsledger.ledger.place import NoLedgerError
from nsledger.model.instants import ALWAYS
from nsledger.query.index_lookup import answer
from nsledger.query.targets import parse
from nsledger.query.whois import Answer, Outcome
from tests import ledgers
from tests.synthetic_node import SyntheticNode, example_node

WEB = "net:[4026532257]"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return example_node().write(tmp_path / "ledger")


@pytest.fixture(autouse=True)
def _an_index_of_any_size_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "_KEPT_BYTES", 0)


def ask(ledger: Path, *, cache: Path | None = None, told: list[int] | None = None) -> Answer:
    progress = None if told is None else told.append
    with opened(str(ledger), cache=None if cache is None else str(cache), progress=progress) as one:
        return answer(
            Records(one.database, one.reached, str(ledger)), parse(WEB), asked=WEB, period=ALWAYS
        )


def share(ledger: Path) -> Path:
    with lock.locked(str(ledger)) as path:
        lock.rebuild(path, str(ledger))
    return Path(path)


def test_a_copy_without_an_index_is_answered_from_one_of_the_readers_own(ledger: Path) -> None:
    assert ask(ledger).outcome is Outcome.ONE_POD
    assert not (ledger / NAME).exists()


def test_one_that_took_long_is_kept_and_extended(ledger: Path, tmp_path: Path) -> None:
    first, second, third = list[int](), list[int](), list[int]()

    ask(ledger, cache=tmp_path / "cache", told=first)
    ask(ledger, cache=tmp_path / "cache", told=second)
    node = SyntheticNode()
    node.records = example_node().records
    node.gap("queue_full")
    node.write(ledger)
    ask(ledger, cache=tmp_path / "cache", told=third)

    assert sum(first) == (ledgers.segment(ledger).stat().st_size - sum(third))
    assert second == []
    assert len(third) == 1


def test_a_kept_one_that_somebody_else_extends_is_left_to_them(
    ledger: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with opened(str(ledger), cache=str(cache)):
        assert ask(ledger, cache=cache).outcome is Outcome.ONE_POD


def test_what_a_killed_reader_left_is_made_anew(ledger: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    ask(ledger, cache=cache)
    (kept,) = cache.glob("*.sqlite")
    kept.write_bytes(b"no database" * 1000)

    assert ask(ledger, cache=cache).outcome is Outcome.ONE_POD


def test_a_cache_that_cannot_be_written_is_done_without(ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    assert ask(ledger, cache=tmp_path / "file" / "cache").outcome is Outcome.ONE_POD


def test_the_daemons_index_is_used_where_it_is(ledger: Path) -> None:
    share(ledger)
    told: list[int] = []

    assert ask(ledger, told=told).outcome is Outcome.ONE_POD
    assert told == []


def test_an_index_of_another_ledger_is_not_used(ledger: Path, tmp_path: Path) -> None:
    other = SyntheticNode(start_ns=1)
    other.create_ledger()
    other.start_daemon()
    other.write(tmp_path / "other")
    shutil.copy(share(tmp_path / "other"), ledger / NAME)

    database = reading(str(ledger / NAME))

    assert database is not None
    with closing(database):
        assert usable(database, str(ledger)) is None
    assert ask(ledger).outcome is Outcome.ONE_POD


def test_an_index_that_goes_further_than_the_ledger_is_not_used(
    ledger: Path, tmp_path: Path
) -> None:
    path = share(ledger)
    shorter = tmp_path / "shorter"
    shorter.mkdir()
    ledgers.replace(shorter, ledgers.lines(ledger)[:-3])
    shutil.copy(path, shorter)

    database = reading(str(shorter / NAME))

    assert database is not None
    with closing(database):
        assert usable(database, str(shorter)) is None


def test_an_index_of_another_version_is_not_used(ledger: Path) -> None:
    path = share(ledger)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET version = version + 1")

    assert ask(ledger).outcome is Outcome.ONE_POD


def test_an_index_far_behind_is_not_waited_for(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    share(ledger)
    node = SyntheticNode()
    node.records = example_node().records
    node.gap("queue_full")
    node.write(ledger)
    monkeypatch.setattr(opening, "TAIL_LIMIT", 0)
    told: list[int] = []

    ask(ledger, told=told)

    assert sum(told) == ledgers.segment(ledger).stat().st_size


@pytest.mark.root
def test_a_copy_on_a_read_only_medium_is_read_with_its_index() -> None:
    told: list[int] = []
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory:
        ledger = example_node().write(Path(directory) / "ledger")
        share(ledger)
        before = sorted(os.listdir(ledger))
        # Root may write anywhere, so somebody else reads.
        for path in (Path(directory), ledger, *ledger.iterdir()):
            path.chmod(0o555)
        seal(str(ledger / NAME))
        (ledger / f"{NAME}.seal").chmod(0o555)
        child = os.fork()
        if not child:
            os.setresuid(65534, 65534, 65534)
            os._exit(ask(ledger, told=told).outcome is not Outcome.ONE_POD or bool(told))
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == 0
        assert sorted(os.listdir(ledger)) == before


def test_what_is_no_ledger_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoLedgerError):
        ask(tmp_path)


def test_an_index_that_somebody_else_wrote_is_not_believed(ledger: Path) -> None:
    path = share(ledger)
    before = os.stat(path)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("DELETE FROM place")
        database.execute("DELETE FROM process")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with opened(str(ledger), cache=None) as index:
        found = answer(
            Records(index.database, index.reached, str(ledger)),
            parse(WEB),
            asked=WEB,
            period=ALWAYS,
        )

    assert found.outcome is Outcome.ONE_POD
    assert "changed by another program" in index.passed_over


def test_an_index_of_an_older_version_is_passed_over_without_a_word(ledger: Path) -> None:
    path = share(ledger)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE meta SET version = 2")

    with opened(str(ledger), cache=None) as index:
        assert not index.passed_over
        assert index.reached.seq
