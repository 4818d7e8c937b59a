from __future__ import annotations

import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.relay.listener import InUseError, ListenError, LoopError, listen


@pytest.fixture
def room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory:
        yield Path(directory)


def _runtime(path: Path, mode: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(path))
    sock.listen()
    path.chmod(mode)
    return sock


def test_the_socket_has_the_mode_of_the_runtimes_but_never_wider_than_0660(room: Path) -> None:
    for mode, expected in ((0o600, 0o600), (0o660, 0o660), (0o777, 0o660)):
        upstream = room / f"up{mode}"
        with _runtime(upstream, mode):
            ours = listen(str(room / "cri.sock"), str(upstream))

            found = (room / "cri.sock").lstat()

            ours.close()
        assert stat.S_IMODE(found.st_mode) == expected


@pytest.mark.root
def test_the_socket_has_the_owner_of_the_runtimes(room: Path) -> None:
    upstream = room / "up"
    with _runtime(upstream, 0o660):
        os.chown(upstream, 1234, 4321)
        ours = listen(str(room / "cri.sock"), str(upstream))

        found = (room / "cri.sock").lstat()

        ours.close()
    assert (found.st_uid, found.st_gid) == (1234, 4321)


def test_without_a_runtime_only_the_owner_may_connect(room: Path) -> None:
    ours = listen(str(room / "cri.sock"), str(room / "missing"))

    found = (room / "cri.sock").lstat()

    ours.close()
    assert stat.S_IMODE(found.st_mode) == 0o600


def test_a_wide_umask_opens_no_door_even_for_a_moment(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    chmod = os.chmod

    def looking(path: str, mode: int) -> None:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            seen.append(stat.S_IMODE(os.lstat(path).st_mode))
        chmod(path, mode)

    with _runtime(room / "up", 0o660):
        monkeypatch.setattr(os, "chmod", looking)
        before = os.umask(0)
        try:
            listen(str(room / "cri.sock"), str(room / "up")).close()
        finally:
            os.umask(before)

    assert seen == [0o600]


def test_it_listens_and_leaves_nothing_but_its_lock(room: Path) -> None:
    ours = listen(str(room / "cri.sock"), str(room / "up"))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(room / "cri.sock"))

    ours.close()
    assert sorted(path.name for path in room.iterdir()) == ["cri.sock.lock"]


def test_a_missing_directory_is_made_and_nobody_else_may_write_there(room: Path) -> None:
    ours = listen(str(room / "run" / "cri.sock"), str(room / "up"))

    mode = (room / "run").stat().st_mode

    ours.close()
    assert stat.S_IMODE(mode) == 0o711


def test_a_directory_in_which_others_may_write_is_refused(room: Path) -> None:
    (room / "run").mkdir()
    (room / "run").chmod(0o777)

    with pytest.raises(ListenError, match="lets others write"):
        listen(str(room / "run" / "cri.sock"), str(room / "up"))


def test_a_second_shim_refuses_instead_of_stealing(room: Path) -> None:
    first = listen(str(room / "cri.sock"), str(room / "up"))

    with pytest.raises(InUseError, match="another nsledger"):
        listen(str(room / "cri.sock"), str(room / "up"))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(room / "cri.sock"))
    first.close()


def test_a_foreign_server_is_not_stolen_from(room: Path) -> None:
    with _runtime(room / "cri.sock", 0o660), pytest.raises(InUseError, match="another process"):
        listen(str(room / "cri.sock"), str(room / "up"))


def test_a_stale_socket_is_replaced(room: Path) -> None:
    _runtime(room / "cri.sock", 0o660).close()

    ours = listen(str(room / "cri.sock"), str(room / "up"))

    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(room / "cri.sock"))
    ours.close()


@pytest.mark.parametrize("kind", ["file", "directory", "symlink"])
def test_what_is_not_a_socket_is_left_alone(room: Path, kind: str) -> None:
    path = room / "cri.sock"
    match kind:
        case "file":
            path.write_text("precious")
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("elsewhere")

    with pytest.raises(ListenError, match="not a socket"):
        listen(str(path), str(room / "up"))

    assert os.path.lexists(path)


def test_listening_on_ones_own_upstream_is_refused(room: Path) -> None:
    (room / "link").symlink_to("up")
    os.mkdir(room / "dir")
    with _runtime(room / "up", 0o660):
        os.link(room / "up", room / "hard")
        for path in ("up", "link", "hard", "dir/../up"):
            with pytest.raises(LoopError):
                listen(str(room / path), str(room / "up"))


def test_at_exit_a_socket_that_is_somebody_elses_stays(room: Path) -> None:
    path = room / "cri.sock"
    ours = listen(str(path), str(room / "up"))
    with _runtime(room / "new", 0o660):
        (room / "new").rename(path)

        ours.close()

        assert path.exists()


def test_a_path_that_no_socket_can_have_is_named(room: Path) -> None:
    with pytest.raises(ListenError, match="107 at most"):
        listen(str(room / ("x" * 120)), str(room / "up"))
    with pytest.raises(ListenError, match="upstream socket has 107 at most"):
        listen(str(room / "cri.sock"), str(room / ("x" * 120)))


def test_an_upstream_that_is_no_socket_is_refused_and_one_that_is_to_come_is_not(
    room: Path,
) -> None:
    (room / "up").touch()

    with pytest.raises(ListenError, match="is not a socket"):
        listen(str(room / "cri.sock"), str(room / "up"))

    (room / "up").unlink()
    listen(str(room / "cri.sock"), str(room / "up")).close()


def test_a_failure_leaves_no_descriptor_and_no_file(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "rename", refuse)

    with pytest.raises(PermissionError):
        listen(str(room / "cri.sock"), str(room / "up"))

    assert sorted(path.name for path in room.iterdir()) == ["cri.sock.lock"]
