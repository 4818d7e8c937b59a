from __future__ import annotations

from pathlib import Path

from nsledger.spool.directory import Census, SpoolDirectory, census


def test_what_waits_and_what_was_moved_aside_is_counted_by_reason(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    directory = SpoolDirectory.open(str(spool))
    assert directory is not None
    for name in ("1.json", "2.json", "3.json", ".4.tmp", ".5.json", "notes"):
        (spool / name).touch()
    directory.quarantine("1.json", "not_a_file")
    directory.quarantine("2.json", "unreadable")
    (spool / "2.json").mkdir()
    directory.quarantine("2.json", "not_a_file")

    counted = census(str(spool))
    directory.close()

    assert counted == Census(waiting=1, quarantined={"not_a_file": 2, "unreadable": 1})


def test_where_there_is_no_spool_there_is_nothing_to_count(tmp_path: Path) -> None:
    assert census(str(tmp_path / "nowhere")) is None
    assert census(str(tmp_path)) == Census(waiting=0, quarantined={})
