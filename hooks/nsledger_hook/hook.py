"""nsledger-hook: puts on record which namespaces a container's process really got.

The container runtime runs it in every container start, when the namespaces are made and the
container's program has not started. It takes the OCI state from stdin, reads /proc/<pid>/ns and
leaves one record in the spool directory: a contract, told field by field in hooks/README.md.

It may not fail or hold up a container: whatever goes wrong is one line on stderr and exit code 0
(unless the operator chose `--failure-policy fail`), and by its deadline it is gone. It may record
nothing of the state or of config.json but the fields named here.

Source: OCI runtime-spec `config.md` (POSIX-platform hooks) and `runtime.md` (state);
namespaces(7), user_namespaces(7), ioctl_ns(2), proc(5); linux/nsfs.h for NS_GET_ID.
"""

import gc
import sys
import time
from errno import EDQUOT, errorcode

# os, signal and json cost more than all the rest of the hook together; the private modules under
# them do the same work. The public ones are for an interpreter that lacks one of these.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os as posix
    import signal
    from collections.abc import Callable, Mapping, Sequence
    from fcntl import ioctl
    from typing import NoReturn

    Json = None | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
    Codec = tuple[Callable[[str, int], tuple[Json, int]], Callable[[Mapping[str, Json]], str]]
else:
    try:
        import _signal as signal
        import posix
        from fcntl import ioctl
    except ImportError:
        import os as posix
        import signal

        ioctl = None  # calling it is a TypeError: the record has inodes, and no ids and no owners

DEFAULT_SPOOL = "/run/nsledger/spool"
DEFAULT_DEADLINE_MS, MAX_DEADLINE_MS = 1000, 60_000
MAX_INPUT_BYTES = 16 << 20
MAX_TEXT_CHARS = 512  # with all at their longest a record stays under 128 KiB
MAX_NAME_CHARS = 128
MAX_WAITING = 1024  # files in the spool, so at most 128 MiB of /run while no daemon takes them
MAX_PID = 1 << 22  # PID_MAX_LIMIT
STDIN, STDERR = 0, 2
TYPES = ("cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts")  # as in /proc/<pid>/ns
OCI_NAMES = {"network": "net", "mount": "mnt"}  # the two that an OCI spec calls otherwise
ANNOTATIONS = (
    "io.kubernetes.cri.container-type",
    "io.kubernetes.cri.sandbox-id",
    "io.kubernetes.cri.sandbox-namespace",
    "io.kubernetes.cri.sandbox-name",
    "io.kubernetes.cri.sandbox-uid",
    "io.kubernetes.cri.container-name",
    "io.container.manager",
    "io.kubernetes.cri-o.ContainerType",
    "io.kubernetes.cri-o.SandboxID",
    "io.kubernetes.cri-o.Metadata",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.name",
    "io.kubernetes.pod.uid",
    "io.kubernetes.container.name",
    "nsledger.dev/audit-id",
)
"""The only annotations that are recorded: any other may hold a secret. containerd's six, then those
by which CRI-O says the same, and which engine it is (`libpod` is podman)."""
NS_GET_USERNS, NS_GET_ID = 0xB701, 0x8008B70D
"""_IO(0xb7, 1) and _IOR(0xb7, 13, __u64), as x86, Arm, RISC-V and s390 encode them. Where the
encoding is another or the kernel is older, the answer is ENOTTY, and the record goes without."""


class CutShort(BaseException):
    """The time for reading is over; what has been read is what there is."""


class Deadline:
    """Cuts the reading short at three quarters of the time, ends the process with the last one.

    A file system in an uninterruptible wait is out of its reach, as it is out of SIGKILL's.
    """

    def __init__(self, deadline_ms: int, exit_code: int) -> None:
        self.reading = False
        self.exit_code = exit_code
        for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGALRM,))
        quarter_s = deadline_ms / 4000
        # It repeats: an alarm during the complaint about the one before ends the process anyway.
        signal.setitimer(signal.ITIMER_REAL, 3 * quarter_s, quarter_s)

    def on_signal(self, number: int, _frame: object) -> None:
        """Stop reading; once the record is being written, only the alarm has a say."""
        if self.reading:
            self.reading = False
            raise CutShort
        if number == signal.SIGALRM:
            signal.signal(number, lambda _number, _frame: posix._exit(self.exit_code))
            complain("no record: the deadline passed")
            posix._exit(self.exit_code)


class Record:
    """What one run of the hook saw: the fields of format 1, which hooks/README.md explains."""

    def __init__(self) -> None:
        self.v = 1
        self.stage: "str | None" = None
        self.container_id: "str | None" = None
        self.status: "str | None" = None
        self.bundle: "str | None" = None
        self.pid: "int | None" = None
        self.start_ticks: "int | None" = None
        self.boot_id: "str | None" = None
        self.time_ns = time.time_ns()
        self.mono_ns = time.monotonic_ns()
        self.duration_ns = 0
        self.namespaces: "dict[str, dict[str, Json]]" = {}
        self.for_children: "dict[str, dict[str, Json]]" = {}
        self.missing: "dict[str, str]" = {}
        self.assigned: "dict[str, str] | None" = None
        self.uid_map: "list[list[int]]" = []
        self.gid_map: "list[list[int]]" = []
        self.annotations: "dict[str, str]" = {}
        self.errors: "list[str]" = []

    def note_unread(self, reason: str) -> None:
        """Give `reason` for every type that is not there and has no reason yet."""
        unread = [type_ for type_ in TYPES if type_ not in self.namespaces]
        self.missing = {type_: self.missing.get(type_, reason) for type_ in unread}

    def finish(self) -> "dict[str, Json]":
        """The record's JSON form."""
        self.note_unread("no_pid" if self.pid is None else "not_read")
        self.duration_ns = time.monotonic_ns() - self.mono_ns
        optional = ("for_children", "uid_map", "gid_map")
        return {name: value for name, value in vars(self).items() if value or name not in optional}


def main(arguments: "list[str]") -> "NoReturn":
    """Leave the record of one run, and exit: finalising the interpreter would cost 1.5 ms more."""
    exit_code = failure_code = 1 if "--failure-policy fail" in " ".join(arguments) else 0
    gc.disable()  # the process ends before it would pay
    try:
        while posix.open("/dev/null", posix.O_RDWR) <= STDERR:
            pass  # what is opened from here on must not be taken for stdin or stderr
        record = Record()
        spool, deadline_ms = parse_options(arguments, record)
        deadline = Deadline(deadline_ms, failure_code)
        try:
            deadline.reading = True
            witness(record)
            deadline.reading = False
        except CutShort:
            record.errors.append("deadline")
        except Exception as error:  # a record of what was seen so far is worth more than none
            deadline.reading = False
            record.errors.append(f"internal:{reason_of(error)}")
        leave_record(spool, record)
        if record.errors:
            complain(f"recorded with errors: {' '.join(record.errors)}")
        else:
            exit_code = 0
    except BaseException as error:  # MemoryError among them: nothing may stop the container
        complain(f"no record: {reason_of(error)}")
    posix._exit(exit_code)


def parse_options(arguments: "list[str]", record: Record) -> "tuple[str, int]":
    """Put the stage on record; return the spool directory and the deadline in milliseconds."""
    given = dict(zip(arguments[::2], arguments[1::2]))
    record.stage = given.pop("--stage", None)
    spool = given.pop("--spool", DEFAULT_SPOOL)
    policy = given.pop("--failure-policy", "ignore")
    deadline = given.pop("--deadline-ms", str(DEFAULT_DEADLINE_MS))
    deadline_ms = min(int(deadline), MAX_DEADLINE_MS) if deadline.isdecimal() else 0
    if given or len(arguments) % 2 or policy not in ("ignore", "fail") or not deadline_ms:
        record.errors.append("option_invalid")
    return spool, deadline_ms or DEFAULT_DEADLINE_MS


class ScannerOptions:
    """What json.JSONDecoder would tell its scanner."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float = parse_constant = float
    parse_int = int


def load_json() -> "Codec":
    """A scanner and an encoder: the C half of the json module without the Python half."""
    try:
        from _json import encode_basestring as quote
        from _json import make_encoder, make_scanner

        write = make_encoder(None, str, quote, None, ":", ",", False, False, False)  # noqa: FBT003 - C takes them by position
        return make_scanner(ScannerOptions), lambda value: "".join(write(value, 0))  # type: ignore[arg-type]  # any object will do
    except Exception:  # private: it may be gone, or take other arguments one day
        import json

        return json.JSONDecoder().raw_decode, lambda value: json.dumps(value, ensure_ascii=False)


def witness(record: Record) -> None:
    """Fill `record`, the fleeting first: the process, then the files."""
    state = parse(read_to_end(STDIN), "state", record)
    record.container_id = text_of(state, "id", record)
    record.status = text_of(state, "status", record)
    record.bundle = text_of(state, "bundle", record)
    annotations = member(state, "annotations")
    found = {key: text_of(annotations, key, record) for key in ANNOTATIONS}
    record.annotations = {key: text for key, text in found.items() if text is not None}
    pid = member(state, "pid")
    if type(pid) is int and 0 < pid <= MAX_PID:
        record.pid = pid
        read_process(pid, record)
    elif pid not in (None, 0):
        record.errors.append("field_invalid")
    if record.bundle is not None:
        read_assigned(record.bundle, record)
    record.boot_id = read_file("/proc/sys/kernel/random/boot_id").decode().strip()


def read_process(pid: int, record: Record) -> None:
    """Record a process's namespaces, all through one descriptor of its /proc directory.

    When the process dies, reading through it fails, even if the pid has a new owner by then.
    """
    try:
        proc = posix.open(f"/proc/{pid}", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
        try:
            stat = read_file("stat", proc)
            record.start_ticks = int(stat[stat.rindex(b")") + 2 :].split()[19])  # field 22
            for type_ in TYPES:
                try:
                    record.namespaces[type_] = read_namespace(f"ns/{type_}", proc)
                except OSError as error:
                    record.missing[type_] = reason_of(error)
            for type_ in ("pid", "time"):
                try:
                    theirs = read_namespace(f"ns/{type_}_for_children", proc)
                except OSError:
                    continue  # an older kernel, or a namespace whose first process is to come
                if theirs != record.namespaces.get(type_):
                    record.for_children[type_] = theirs
            read_id_maps(proc, record)
            read_file("stat", proc)
        finally:
            posix.close(proc)
    except OSError as error:
        gone = isinstance(error, (FileNotFoundError, ProcessLookupError))
        record.errors.append("process_vanished" if gone else "process_unreadable")
        record.note_unread(reason_of(error))
    if record.missing and not record.missing.keys().isdisjoint(posix.listdir("/proc/self/ns")):
        record.errors.append("namespaces_partial")  # and not a type that this kernel lacks


def read_namespace(path: str, proc: int) -> "dict[str, Json]":
    """What one link in /proc/<pid>/ns stands for: all of it from one descriptor."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC, dir_fd=proc)
    status = posix.fstat(fd)
    identity: "dict[str, Json]" = {"dev": status.st_dev, "ino": status.st_ino}
    try:
        answer = ioctl(fd, NS_GET_ID, bytes(8))
        identity["ns_id"] = str(int.from_bytes(answer, sys.byteorder))
    except (OSError, TypeError):
        pass
    try:
        owner = ioctl(fd, NS_GET_USERNS)
        identity["owner_ino"] = posix.fstat(owner).st_ino
        posix.close(owner)
    except (OSError, TypeError):
        pass  # EPERM: the owner is above the hook's own user namespace
    posix.close(fd)
    return identity


def read_id_maps(proc: int, record: Record) -> None:
    """Record the uid and gid maps of a process in another user namespace than the hook's."""
    user = record.namespaces.get("user")
    own = posix.stat("/proc/self/ns/user")
    if user is not None and (user["dev"], user["ino"]) != (own.st_dev, own.st_ino):
        for name, rows in (("uid_map", record.uid_map), ("gid_map", record.gid_map)):
            lines = read_file(name, proc).splitlines()
            rows += [[int(part) for part in line.split()] for line in lines]


def read_assigned(bundle: str, record: Record) -> None:
    """Record what the bundle's config.json assigns; nothing else of it leaves this function."""
    try:
        config = parse(read_file(f"{bundle}/config.json"), "config", record)
    except (OSError, ValueError):  # a ValueError is a path with a null byte
        record.errors.append("config_unreadable")
        return
    if config is None:
        return
    assigned: "dict[str, str]" = dict.fromkeys(TYPES, "inherited")
    entries = member(member(config, "linux"), "namespaces") or []
    for entry in entries if isinstance(entries, list) else [None]:
        oci_type = member(entry, "type")
        path = member(entry, "path") or "new"
        if not (
            isinstance(oci_type, str) and isinstance(path, str) and len(path) <= MAX_TEXT_CHARS
        ):
            record.errors.append("config_malformed")
            return
        type_ = OCI_NAMES.get(oci_type, oci_type)
        if type_ in assigned:
            assigned[type_] = path
    record.assigned = assigned


def parse(data: bytearray, of: str, record: Record) -> "dict[str, Json] | None":
    """The JSON object that is `data`; None, and an error that begins with `of`, if it is none."""
    if len(data) > MAX_INPUT_BYTES:
        record.errors.append(f"{of}_too_long")
        return None
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        record.errors.append(f"{of}_not_utf8")
        text = data.decode(errors="replace").strip()
    scan, _ = load_json()
    try:
        value, end = scan(text, 0)
        if isinstance(value, dict) and end == len(text):
            return value
    except (ValueError, StopIteration, RecursionError, SystemError, ImportError):
        pass  # the bare scanner has no json module to take its error from, and says it in many ways
    record.errors.append(f"{of}_not_json")
    return None


def member(value: "Json", key: str) -> "Json":
    """`value[key]`; None if there is no such thing."""
    return value.get(key) if isinstance(value, dict) else None


def text_of(value: "Json", key: str, record: Record) -> "str | None":
    """The text `value[key]`; None if there is none, or it cannot be meant."""
    text = member(value, key)
    if text is None or (isinstance(text, str) and len(text) <= MAX_TEXT_CHARS):
        return text
    record.errors.append("field_invalid")
    return None


def read_file(path: str, dir_fd: "int | None" = None) -> bytearray:
    """All of a file. Never waits for a writer, as opening a FIFO would."""
    flags = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY | posix.O_CLOEXEC
    fd = posix.open(path, flags, dir_fd=dir_fd)
    try:
        return read_to_end(fd)
    finally:
        posix.close(fd)


def read_to_end(fd: int) -> bytearray:
    """All of it, as crun never gives up on a hook that leaves some; MAX_INPUT_BYTES are kept."""
    data = bytearray()
    while chunk := posix.read(fd, 1 << 16):
        if len(data) <= MAX_INPUT_BYTES:
            data += chunk
    return data


def leave_record(spool: str, record: Record) -> None:
    """Write under a hidden name, then rename; no character of the id is taken on trust."""
    if len(posix.listdir(spool)) >= MAX_WAITING:
        note_missed(spool)
        raise OSError(EDQUOT, "")
    _, encode = load_json()
    data = encode(record.finish()).encode(errors="replace") + b"\n"
    text = (record.container_id or "unknown")[:MAX_NAME_CHARS]
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in text)
    name = f"{record.time_ns}-{posix.getpid()}-{safe}.json"
    hidden = f"{spool}/.{name}.tmp"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    fd = posix.open(hidden, flags, 0o600)
    try:
        while data:
            data = data[posix.write(fd, data) :]
        posix.rename(hidden, f"{spool}/{name}")
    except OSError:
        posix.unlink(hidden)
        raise
    finally:
        posix.close(fd)


def note_missed(spool: str) -> None:
    """Add one byte to a file: the daemon puts on record how many there are."""
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_NOFOLLOW | posix.O_NONBLOCK
    fd = posix.open(f"{spool}/missed", flags | posix.O_CLOEXEC, 0o600)
    posix.write(fd, b".")
    posix.close(fd)


def reason_of(error: BaseException) -> str:
    """The errno's name, or the error's class; never its text, which may quote what it read."""
    if isinstance(error, OSError) and error.errno is not None:
        return errorcode.get(error.errno, str(error.errno))
    return type(error).__name__


def complain(what: str) -> None:
    """One line on stderr. Runtimes put it into their error text, or drop it."""
    try:
        posix.write(STDERR, f"nsledger-hook: {what}\n".encode())
    except OSError:
        pass  # nobody listens


if __name__ == "__main__":
    main(sys.argv[1:])
