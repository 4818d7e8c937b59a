from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.spool import directory as directory_module
from nsledger.spool.directory import MAX_FILE_BYTES, RefusedError, SpoolDirectory


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def spool(path: Path) -> Iterator[SpoolDirectory]:
    spool = SpoolDirectory.open(str(path))
    assert spool is not None
    yield spool
    spool.close()


def put(path: Path, data: bytes = b"{}", mode: int = 0o600) -> Path:
    path.write_bytes(data)
    path.chmod(mode)
    return path


def refusal(spool: SpoolDirectory, name: str) -> str:
    with pytest.raises(RefusedError) as caught:
        spool.read(name)
    return caught.value.reason


def test_a_missing_directory_is_made_private(tmp_path: Path) -> None:
    spool = SpoolDirectory.open(str(tmp_path / "run" / "spool"))

    assert spool is not None
    assert stat.S_IMODE((tmp_path / "run" / "spool").stat().st_mode) == 0o700
    spool.close()


def test_two_daemons_never_have_the_same_directory(path: Path, spool: SpoolDirectory) -> None:
    assert SpoolDirectory.open(str(path)) is None


def test_the_directory_is_free_when_its_daemon_closed_it(path: Path) -> None:
    first = SpoolDirectory.open(str(path))
    assert first is not None
    first.close()

    second = SpoolDirectory.open(str(path))

    assert second is not None
    second.close()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777, 0o1777])
def test_a_directory_that_others_can_write_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)

    with pytest.raises(RefusedError) as caught:
        SpoolDirectory.open(str(path))

    assert caught.value.reason == "unsafe_directory"


@pytest.mark.root
def test_a_directory_of_someone_else_is_refused(path: Path) -> None:
    os.chown(path, 65534, 65534)

    with pytest.raises(RefusedError):
        SpoolDirectory.open(str(path))


def test_a_link_in_place_of_the_directory_is_not_followed(tmp_path: Path, path: Path) -> None:
    (tmp_path / "link").symlink_to(path)

    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        SpoolDirectory.open(str(tmp_path / "link"))


def test_finished_records_unfinished_ones_and_what_no_hook_leaves_are_named_apart(
    path: Path, spool: SpoolDirectory
) -> None:
    for name in ("b.json", "a.json", ".a.json.tmp", ".hidden.json", "a.txt", "json"):
        put(path / name)
    (path / "quarantine").mkdir()
    put(path / "missed")
    put(path / ".missed")

    assert spool.names() == (
        ["a.json", "b.json"],
        [".a.json.tmp"],
        [".hidden.json", "a.txt", "json"],
    )


def test_a_flood_of_names_costs_bounded_memory(
    path: Path, spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_module, "MAX_NAMES", 5)
    for number in range(20):
        put(path / f"{number}.json")

    assert len(spool.names()[0]) == 5


def test_a_private_regular_file_is_read(path: Path, spool: SpoolDirectory) -> None:
    put(path / "a.json", b"x" * MAX_FILE_BYTES)

    assert spool.read("a.json") == b"x" * MAX_FILE_BYTES


def test_one_byte_too_much_is_too_much(path: Path, spool: SpoolDirectory) -> None:
    put(path / "a.json", b"x" * (MAX_FILE_BYTES + 1))

    assert refusal(spool, "a.json") == "too_long"


def test_a_symbolic_link_is_not_followed(path: Path, spool: SpoolDirectory, tmp_path: Path) -> None:
    put(tmp_path / "secret")
    (path / "a.json").symlink_to(tmp_path / "secret")

    assert refusal(spool, "a.json") == "not_a_file"


def test_a_link_that_takes_the_files_place_after_the_look_is_not_followed(
    path: Path, spool: SpoolDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "secret")
    (path / "a.json").symlink_to(tmp_path / "secret")
    looked_at = os.stat(put(path / "harmless"))
    monkeypatch.setattr(os, "stat", lambda *_, **__: looked_at)

    with pytest.raises(RefusedError) as caught:
        spool.read("a.json")

    assert caught.value.reason == "not_a_file"


def test_a_fifo_does_not_block(path: Path, spool: SpoolDirectory) -> None:
    os.mkfifo(path / "a.json", 0o600)

    assert refusal(spool, "a.json") == "not_a_file"


def test_a_socket_and_a_directory_are_no_records(path: Path, spool: SpoolDirectory) -> None:
    (path / "a.json").mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(path)  # a socket's path must be short
        try:
            server.bind("b.json")
        finally:
            os.chdir(here)

    assert refusal(spool, "a.json") == "not_a_file"
    assert refusal(spool, "b.json") == "not_a_file"


@pytest.mark.root
def test_a_device_is_not_opened(path: Path, spool: SpoolDirectory) -> None:
    os.mknod(path / "a.json", 0o600 | stat.S_IFCHR, os.makedev(1, 3))

    assert refusal(spool, "a.json") == "not_a_file"


def test_a_hard_link_to_another_file_is_refused(
    path: Path, spool: SpoolDirectory, tmp_path: Path
) -> None:
    put(tmp_path / "secret")
    os.link(tmp_path / "secret", path / "a.json")

    assert refusal(spool, "a.json") == "linked"


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_that_others_can_write_is_refused(
    path: Path, spool: SpoolDirectory, mode: int
) -> None:
    put(path / "a.json", mode=mode)

    assert refusal(spool, "a.json") == "untrusted"


@pytest.mark.root
def test_a_file_of_someone_else_is_refused(path: Path, spool: SpoolDirectory) -> None:
    os.chown(put(path / "a.json"), 65534, 65534)

    assert refusal(spool, "a.json") == "untrusted"


def test_quarantine_keeps_what_it_gets_under_a_name_of_our_own(
    path: Path, spool: SpoolDirectory
) -> None:
    put(path / "..json", b"evidence")

    spool.quarantine("..json", "unreadable")

    (kept,) = (path / "quarantine").iterdir()
    assert kept.name.startswith("unreadable-")
    assert kept.read_bytes() == b"evidence"
    assert not (path / "..json").exists()


def test_quarantine_moves_a_link_and_not_what_it_points_to(
    path: Path, spool: SpoolDirectory, tmp_path: Path
) -> None:
    put(tmp_path / "secret")
    (path / "a.json").symlink_to(tmp_path / "secret")

    spool.quarantine("a.json", "not_a_file")

    (kept,) = (path / "quarantine").iterdir()
    assert kept.is_symlink()
    assert (tmp_path / "secret").exists()


def test_a_quarantine_that_is_a_link_is_not_entered(
    path: Path, spool: SpoolDirectory, tmp_path: Path
) -> None:
    (path / "quarantine").symlink_to(tmp_path)
    put(path / "a.json")

    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        spool.quarantine("a.json", "unreadable")

    assert (path / "a.json").exists()


def test_a_full_quarantine_takes_no_more(
    path: Path, spool: SpoolDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory_module, "QUARANTINE_LIMIT", 2)
    for number in range(4):
        put(path / f"{number}.json")
        spool.quarantine(f"{number}.json", "unreadable")

    assert len(list((path / "quarantine").iterdir())) == 2
    assert spool.names() == ([], [], [])


def test_removing_what_is_gone_is_no_error(spool: SpoolDirectory) -> None:
    spool.remove("never-there.json")


def test_what_is_longer_than_a_record_is_not_kept_as_evidence(
    path: Path, spool: SpoolDirectory
) -> None:
    put(path / "a.json", b"x" * (MAX_FILE_BYTES + 1))

    spool.quarantine("a.json", "too_long")

    assert spool.names() == ([], [], [])
    assert list((path / "quarantine").iterdir()) == []


def test_notes_of_missed_records_are_counted_once_even_if_one_comes_late(
    path: Path, spool: SpoolDirectory
) -> None:
    with put(path / "missed", b"..").open("ab") as late:
        assert spool.missed() == 0
        late.write(b".")

    assert [spool.missed(), spool.missed()] == [3, 0]


def test_a_note_that_no_hook_made_is_refused(path: Path, spool: SpoolDirectory) -> None:
    (path / "missed").symlink_to("/etc/passwd")
    assert spool.missed() == 0

    with pytest.raises(RefusedError) as caught:
        spool.missed()

    assert caught.value.reason == "not_a_file"


def test_it_knows_whether_its_path_leads_to_another_directory(
    path: Path, spool: SpoolDirectory
) -> None:
    assert spool.is_at(str(path))

    path.rmdir()
    assert not spool.is_at(str(path))
    path.mkdir(mode=0o700)
    assert not spool.is_at(str(path))
