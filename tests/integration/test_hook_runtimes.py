"""The hook under the real runc and crun: what it records, and that it never stops a container."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from nsledger.node.hook_files import TOMBSTONE
from nsledger_hook import hook
from tests.integration.hook_runs import (
    HANGS_IN_THE_SPOOL,
    HOOK,
    PYTHON,
    Document,
    links_in,
    links_of,
    process,
    records_in,
    wait_until,
)

BUSYBOX = "/bin/busybox"
HOOK_TIMEOUT_S = 5

IN_A_MOUNT_NAMESPACE_OF_ITS_OWN = """
if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi
exec "$@"
"""
"""crun refuses a machine with both generations of cgroups, so it is shown one."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A low-level runtime, with a state directory and a bundle of its own."""

    command: tuple[str, ...]
    bundle: Path
    spool: Path
    status_at_start: str

    @property
    def container_id(self) -> str:
        """One for each test: it is a name on the machine, in cgroups."""
        return self.bundle.parent.name

    def configure(
        self,
        *stages: str,
        program: tuple[str, ...] = (str(HOOK),),
        options: tuple[str, ...] = (),
        linux: Document | None = None,
        **more: object,
    ) -> None:
        """Give the bundle a hook for each stage; the rest goes over the runtime's own spec."""
        subprocess.run([*self.command, "spec"], cwd=self.bundle, check=True)
        path = self.bundle / "config.json"
        config: Document = json.loads(path.read_bytes())
        config["process"] |= {"terminal": False, "args": ["/bin/sh", "-c", "exec sleep 60"]}
        config["root"]["readonly"] = True
        config["linux"] |= linux or {}
        config |= more
        config["hooks"] = {
            stage: [
                {
                    "path": PYTHON,
                    "args": [
                        *("python3", "-I", "-S", *program, "--stage", stage),
                        *("--spool", str(self.spool), "--deadline-ms", "4000", *options),
                    ],
                    "env": [],
                    "timeout": HOOK_TIMEOUT_S,
                }
            ]
            for stage in stages
        }
        path.unlink()
        path.write_text(json.dumps(config))

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the runtime."""
        with tempfile.TemporaryFile("w+") as output:
            # A file and not a pipe: the container inherits it and must not be waited for.
            done = subprocess.run(
                [*self.command, *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=60,
            )
            output.seek(0)
            return subprocess.CompletedProcess(words, done.returncode, output.read(), "")

    @contextlib.contextmanager
    def running(self) -> Iterator[int]:
        """A container that runs; its pid."""
        container_id = self.container_id
        done = self("run", "--detach", "--bundle", str(self.bundle), container_id)
        assert done.returncode == 0, done.stdout
        try:
            yield json.loads(self("state", container_id).stdout)["pid"]
        finally:
            self("delete", "--force", container_id)


@pytest.fixture(
    params=[
        pytest.param("runc", marks=pytest.mark.containerd1),
        pytest.param("crun", marks=pytest.mark.crun),
    ]
)
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """runc, then crun, with a root file system that is one busybox."""
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o755)
        bundle, spool = directory / "bundle", directory / "spool"
        programs = bundle / "rootfs/bin"
        programs.mkdir(parents=True)
        spool.mkdir()
        for mount_point in ("dev", "proc", "sys"):
            (bundle / "rootfs" / mount_point).mkdir()
        shutil.copy(BUSYBOX, programs)
        for program in ("sh", "sleep"):
            (programs / program).symlink_to("busybox")
        command: tuple[str, ...] = (request.param, "--root", str(directory / "state"))
        if request.param == "crun":
            script = IN_A_MOUNT_NAMESPACE_OF_ITS_OWN
            command = ("unshare", "--mount", "sh", "-c", script, "-", *command)
        status = {"runc": "creating", "crun": "created"}[request.param]
        yield Runtime(command, bundle, spool, status)


NEW_BY_DEFAULT = ("pid", "network", "ipc", "uts", "mount")


def new(*oci_types: str) -> Document:
    """`linux.namespaces` with new namespaces of these types."""
    return {"namespaces": [{"type": oci_type} for oci_type in oci_types]}


@pytest.mark.parametrize("stage", ["createRuntime", "prestart"])
def test_a_container_is_recorded_with_the_namespaces_that_it_keeps(
    runtime: Runtime, stage: str
) -> None:
    runtime.configure(stage, linux=new(*NEW_BY_DEFAULT, "cgroup"))

    with runtime.running() as pid:
        (record,) = records_in(runtime.spool)

        assert record["pid"] == pid
        assert links_in(record["namespaces"]) == links_of(pid)

    assert record["container_id"] == runtime.container_id
    assert record["stage"] == stage
    assert record["status"] == runtime.status_at_start
    assert record["errors"] == []
    inherited = {"time": "inherited", "user": "inherited"}
    assert record["assigned"] == dict.fromkeys(hook.TYPES, "new") | inherited
    mine = links_of(os.getpid())
    same = {type_ for type_, link in links_in(record["namespaces"]).items() if link == mine[type_]}
    assert same == {"time", "user"}


def test_a_container_in_a_user_namespace_is_recorded_with_its_maps(runtime: Runtime) -> None:
    mapping = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    linux = new(*NEW_BY_DEFAULT, "user") | {"uidMappings": mapping, "gidMappings": mapping}
    runtime.configure("createRuntime", linux=linux)

    with runtime.running() as pid:
        (record,) = records_in(runtime.spool)

        assert links_in(record["namespaces"]) == links_of(pid)

    assert record["uid_map"] == record["gid_map"] == [[0, 100000, 65536]]
    user = record["namespaces"]["user"]["ino"]
    assert record["namespaces"]["net"]["owner_ino"] == user


def test_joined_and_inherited_namespaces_are_told_apart(runtime: Runtime) -> None:
    joined = {"network": "net", "ipc": "ipc", "uts": "uts"}
    with process("unshare", "--net", "--ipc", "--uts", "sleep", "60") as sandbox:
        wait_until(lambda: Path(f"/proc/{sandbox}/comm").read_text() == "sleep\n")
        paths = {name: f"/proc/{sandbox}/ns/{link}" for name, link in joined.items()}
        entries = [{"type": name, "path": path} for name, path in paths.items()]
        entries += [{"type": "mount"}]
        runtime.configure("createRuntime", hostname="", linux={"namespaces": entries})

        with runtime.running():
            (record,) = records_in(runtime.spool)

        sandboxes = links_of(sandbox, *joined.values())

    links = links_in(record["namespaces"])
    assert {type_: links[type_] for type_ in joined.values()} == sandboxes
    assert links["pid"] == links_of(os.getpid())["pid"]
    assert record["assigned"] == dict.fromkeys(hook.TYPES, "inherited") | {
        "mnt": "new",
        **{joined[name]: path for name, path in paths.items()},
    }


def test_poststop_leaves_a_record_without_a_process(runtime: Runtime) -> None:
    runtime.configure("poststop")

    with runtime.running():
        assert records_in(runtime.spool) == []

    (record,) = records_in(runtime.spool)
    assert record["status"] == "stopped"
    assert record["pid"] is None
    assert set(record["missing"].values()) == {"no_pid"}


def test_a_state_of_a_megabyte_starts_its_container(runtime: Runtime) -> None:
    annotations = {"huge": "a" * (1 << 20), "nsledger.dev/audit-id": "audit-1"}
    runtime.configure("createRuntime", annotations=annotations)

    with runtime.running():
        (record,) = records_in(runtime.spool)

    assert record["annotations"] == {"nsledger.dev/audit-id": "audit-1"}


def test_no_spool_never_fails_a_container(runtime: Runtime) -> None:
    runtime.configure("createRuntime", "prestart", "poststart")
    runtime.spool.rmdir()

    with runtime.running() as pid:
        assert Path(f"/proc/{pid}").exists()


def test_a_hook_that_may_fail_the_container_says_why(runtime: Runtime) -> None:
    runtime.configure("createRuntime", options=("--failure-policy", "fail"))
    runtime.spool.rmdir()

    done = runtime("run", "--detach", "--bundle", str(runtime.bundle), runtime.container_id)
    runtime("delete", "--force", runtime.container_id)

    assert done.returncode != 0
    if runtime.command[0] == "runc":  # crun drops what a hook says
        assert "nsledger-hook: no record: ENOENT" in done.stdout


def test_a_hook_that_hangs_holds_a_container_up_to_its_deadline(runtime: Runtime) -> None:
    runtime.configure(
        "createRuntime",
        program=("-c", HANGS_IN_THE_SPOOL, str(HOOK)),
        options=("--spool", "/hanging", "--deadline-ms", "300"),
    )
    started_s = time.monotonic()

    with runtime.running():
        duration_s = time.monotonic() - started_s

    assert 0.2 < duration_s < HOOK_TIMEOUT_S


def test_a_container_that_runs_needs_no_hook_any_more_and_one_that_is_created_later_does(
    runtime: Runtime,
) -> None:
    """What an uninstallation may delete while containers run, and what needs a tombstone."""
    program = runtime.bundle.parent / "hook.py"
    shutil.copy(HOOK, program)
    runtime.configure("createRuntime", program=(str(program),), linux=new(*NEW_BY_DEFAULT))
    created, later = f"{runtime.container_id}-created", f"{runtime.container_id}-later"

    made = runtime("create", "--bundle", str(runtime.bundle), created)
    with runtime.running():
        program.unlink()
        started = runtime("start", created)
        inside = runtime("exec", created, "/bin/busybox", "true")
        killed = runtime("kill", created, "KILL")
        removed = runtime("delete", "--force", created)
        without = runtime("create", "--bundle", str(runtime.bundle), later)
        program.write_bytes(TOMBSTONE)
        with_tombstone = runtime("create", "--bundle", str(runtime.bundle), f"{later}-2")
        for name in (later, f"{later}-2"):
            runtime("delete", "--force", name)

    assert [one.returncode for one in (made, started, inside, killed, removed)] == [0] * 5
    assert without.returncode != 0
    assert with_tombstone.returncode == 0
