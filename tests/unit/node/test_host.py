"""A node's files: links stay inside of the root, and a write is whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.node.root import Content, Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "etc").mkdir()
    return Host(root=str(tmp_path))


def test_an_absolute_link_leads_into_the_root_and_not_out_of_it(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etc/passwd").symlink_to("/etc/shadow.d/../real")
    (tmp_path / "etc/real").write_bytes(b"inside")
    (tmp_path / "etc/shadow.d").mkdir()
    (tmp_path / "etc/up").symlink_to("../../../../etc/real")

    assert host.read("/etc/passwd") == b"inside"
    assert host.read("/etc/up") == b"inside"
    assert host.resolve("/etc/passwd") == "/etc/real"


def test_links_in_a_circle_are_an_error_and_no_loop(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etc/a").symlink_to("b")
    (tmp_path / "etc/b").symlink_to("a")

    with pytest.raises(OSError, match="symbolic links"):
        host.read("/etc/a")


def test_a_missing_file_is_none_and_a_directory_an_error(host: Host) -> None:
    assert host.content("/etc/none") is None
    with pytest.raises(OSError, match="not a regular file"):
        host.content("/etc")


def test_a_write_keeps_the_link_and_sets_mode(host: Host, tmp_path: Path) -> None:
    (tmp_path / "etc/link").symlink_to("file")

    host.write("/etc/link", Content(b"new", 0o640, os.getuid(), os.getgid()))

    assert (tmp_path / "etc/link").is_symlink()
    written = host.content("/etc/file")
    assert written == Content(b"new", 0o640, os.getuid(), os.getgid())
    assert sorted(os.listdir(tmp_path / "etc")) == ["file", "link"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "etc/file").write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(OSError, match="No space"):
        host.write("/etc/file", Content(b"new", 0o644))

    assert (tmp_path / "etc/file").read_bytes() == b"old"
    assert os.listdir(tmp_path / "etc") == ["file"]


def test_directories_that_had_to_be_made_are_told_outermost_first(host: Host) -> None:
    assert host.make_directories("/etc/a/b", 0o755) == ["/etc/a", "/etc/a/b"]
    assert host.make_directories("/etc/a/b", 0o755) == []


def test_a_program_that_does_not_end_is_an_error_with_its_name() -> None:
    with pytest.raises(TimeoutError) as caught:
        Host().run("sleep", "60", timeout_s=0.05)

    assert caught.value.filename == "sleep"


def test_a_message_of_a_content_does_not_hold_its_bytes() -> None:
    assert "secret" not in repr(Content(b"secret", 0o600))
