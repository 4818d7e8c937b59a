"""The hook's parts, in this process; tests/integration/test_hook_*.py runs the whole."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger_hook import hook


@pytest.fixture
def record() -> hook.Record:
    """An empty one."""
    return hook.Record()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that a test may end."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def die_while_reading(
    victim: subprocess.Popen[bytes], at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """End the process, and let its pid go, when the namespace `at` is about to be read."""
    read_namespace = hook.read_namespace

    def kill_and_read(path: str, proc: int) -> dict[str, hook.Json]:
        if path == at:
            victim.kill()
            victim.wait()
        return read_namespace(path, proc)

    monkeypatch.setattr(hook, "read_namespace", kill_and_read)


def test_a_process_that_vanishes_while_it_is_read_is_marked_and_half_recorded(
    record: hook.Record, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    die_while_reading(child, "ns/pid", monkeypatch)

    hook.read_process(child.pid, record)

    assert set(record.namespaces) == {"cgroup", "ipc", "mnt", "net"}
    assert record.missing == dict.fromkeys(("pid", "time", "user", "uts"), "ESRCH")
    assert record.errors == ["process_vanished", "namespaces_partial"]


def test_a_process_that_vanishes_after_its_last_namespace_is_marked(
    record: hook.Record, child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    die_while_reading(child, "ns/time_for_children", monkeypatch)

    hook.read_process(child.pid, record)

    assert set(record.namespaces) == set(hook.TYPES)
    assert record.errors == ["process_vanished"]


def test_a_type_that_the_kernel_does_not_have_is_missing_and_no_error(
    record: hook.Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "TYPES", (*hook.TYPES, "future"))

    hook.read_process(os.getpid(), record)

    assert record.missing == {"future": "ENOENT"}
    assert record.errors == []


def test_all_of_a_long_input_is_read_and_a_bounded_part_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hook, "MAX_INPUT_BYTES", 100_000)
    reader, writer = os.pipe()
    size_bytes = 1 << 20
    pid = os.posix_spawn(
        "/usr/bin/head",
        ["head", "-c", str(size_bytes), "/dev/zero"],
        {},
        file_actions=[(os.POSIX_SPAWN_DUP2, writer, 1), (os.POSIX_SPAWN_CLOSE, reader)],
    )
    os.close(writer)

    data = hook.read_to_end(reader)
    os.close(reader)

    assert os.waitpid(pid, 0)[1] == 0
    assert 100_000 < len(data) < 200_000


def test_a_record_that_cannot_get_its_name_leaves_nothing(
    record: hook.Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(source: str, target: str) -> None:
        raise PermissionError(source, target)

    monkeypatch.setattr("nsledger_hook.hook.posix.rename", refuse)

    with pytest.raises(PermissionError):
        hook.leave_record(str(tmp_path), record)

    assert list(tmp_path.iterdir()) == []


def test_a_record_has_its_name_only_when_it_is_whole(
    record: hook.Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    write = os.write

    def write_one_byte(fd: int, data: bytes) -> int:
        seen.extend(os.listdir(tmp_path))
        return write(fd, data[:100])

    monkeypatch.setattr("nsledger_hook.hook.posix.write", write_one_byte)

    hook.leave_record(str(tmp_path), record)

    assert len(seen) > 1
    assert all(name.startswith(".") and name.endswith(".tmp") for name in seen)
    (path,) = tmp_path.iterdir()
    assert path.read_bytes().endswith(b"}\n")


def test_a_record_is_on_one_line_and_bounded(record: hook.Record, tmp_path: Path) -> None:
    longest = "\n" * hook.MAX_TEXT_CHARS
    record.container_id = record.status = record.bundle = longest
    record.annotations = dict.fromkeys(hook.ANNOTATIONS, longest)
    record.assigned = dict.fromkeys(hook.TYPES, "\0" * hook.MAX_TEXT_CHARS)
    largest_id = (1 << 32) - 1
    record.uid_map = record.gid_map = [[largest_id] * 3] * 340  # the kernel's limit
    for type_ in hook.TYPES:
        largest = (1 << 64) - 1
        record.namespaces[type_] = dict.fromkeys(("dev", "ino", "owner_ino"), largest)

    hook.leave_record(str(tmp_path), record)

    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    assert data.count(b"\n") == 1
    assert len(data) < 128 << 10


@pytest.mark.parametrize(
    ("arguments", "spool", "deadline_ms", "stage"),
    [
        ([], hook.DEFAULT_SPOOL, 1000, None),
        (["--spool", "/s", "--stage", "prestart"], "/s", 1000, "prestart"),
        (["--deadline-ms", "250", "--failure-policy", "fail"], hook.DEFAULT_SPOOL, 250, None),
        (["--deadline-ms", "3600000"], hook.DEFAULT_SPOOL, 60_000, None),
    ],
)
def test_options_are_pairs_with_defaults(
    arguments: list[str], spool: str, deadline_ms: int, stage: str | None
) -> None:
    record = hook.Record()

    assert hook.parse_options(arguments, record) == (spool, deadline_ms)
    assert (record.stage, record.errors) == (stage, [])


@pytest.mark.parametrize(
    "arguments", [["--deadline-ms", "-1"], ["--deadline-ms", "²"], ["--spool"], ["--x", "y"]]
)
def test_an_option_that_makes_no_sense_is_an_error_and_leaves_the_default(
    arguments: list[str], record: hook.Record
) -> None:
    assert hook.parse_options(arguments, record) == (hook.DEFAULT_SPOOL, 1000)
    assert record.errors == ["option_invalid"]


def test_a_reason_is_a_name_and_never_a_text() -> None:
    assert hook.reason_of(OSError(28, "secret", "/secret")) == "ENOSPC"
    assert hook.reason_of(OSError(99999, "secret")) == "99999"
    assert hook.reason_of(OSError("secret")) == "OSError"
    assert hook.reason_of(ValueError("secret")) == "ValueError"


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put this process's signal handling back."""
    numbers = (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


class LeftError(Exception):
    """The process would have ended here."""


@pytest.mark.usefixtures("handlers")
def test_reading_is_cut_short_once_and_writing_only_by_the_alarm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(exit_code: int) -> None:
        raise LeftError(exit_code)

    monkeypatch.setattr("nsledger_hook.hook.posix._exit", leave)
    deadline = hook.Deadline(60_000, exit_code=1)
    deadline.reading = True

    with pytest.raises(hook.CutShort):
        deadline.on_signal(signal.SIGTERM, None)

    deadline.on_signal(signal.SIGTERM, None)
    deadline.on_signal(signal.SIGINT, None)
    first_s, again_s = signal.getitimer(signal.ITIMER_REAL)
    assert 40 < first_s <= 45
    assert again_s == 15
    with pytest.raises(LeftError, match="1"):
        deadline.on_signal(signal.SIGALRM, None)
