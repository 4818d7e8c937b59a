"""What every test run obeys: what a machine cannot run says why, and CI takes no excuse.

Locally a marker whose tool is missing skips with its reason. `--require=containerd1,crun` (or
`--require=all`, the default where CI=true) turns that skip into a failure; `all` also turns what a
test skips by itself into one, but for the reasons in EXPECTED_SKIPS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.bench import peers

# The machine is shared: how long an example took says nothing of the code. In CI the examples are
# the same each time, so that it judges the change and not a chance find.
settings.register_profile(
    "shared machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ or "NSLEDGER_SAME_EXAMPLES" in os.environ,
)
settings.load_profile("shared machine")

_CLOSING_S = 15.0

SID_TREE = Path(os.environ.get("NSLEDGER_SID_TREE", "/var/cache/nsledger/sid"))
"""The second generation: a debootstrapped Debian sid, made by `tools/second-generation`."""

VIRTUAL_NODE = Path(os.environ.get("NSLEDGER_VM", "/var/cache/nsledger/vm"))
"""The whole machine of tests/vm: disk, kernel and initrd, made by `tools/virtual-node`."""

UPSTREAM_PROTO = Path(
    os.environ.get(
        "NSLEDGER_UPSTREAM_PROTO",
        SID_TREE / "usr/share/gocode/src/k8s.io/cri-api/pkg/apis/runtime/v1/api.proto",
    )
)
"""CRI as upstream writes it, from Debian's golang-github-kubernetes-cri-api-dev."""

PROTOC = Path(__file__).parents[1] / ".venv-protos/bin/python"
"""Holds the compiler of protos/, and the lowest protobuf that pyproject allows."""

LOWEST = Path(__file__).parents[1] / ".venv-lowest/bin/python"
"""Has the lowest release of everything that pyproject.toml allows."""

GO_PACKAGES = Path("/usr/share/gocode")
"""Debian's Go packages, grpc-go among them: a GOPATH."""


def _lacks(*programs: str) -> str | None:
    missing = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(missing)}" if missing else None


def _lacks_peers() -> str | None:
    missing = peers.lacking()
    return missing and f"not installed: {missing}"


def _lacks_root() -> str | None:
    return None if os.geteuid() == 0 else "needs root"


def _lacks_second_generation() -> str | None:
    if (SID_TREE / "usr/bin/containerd").exists():
        return _lacks_root()
    return f"no second generation at {SID_TREE}; make it with tools/second-generation"


def _lacks_virtual_node() -> str | None:
    if not (VIRTUAL_NODE / "disk.img").exists():
        return f"no machine at {VIRTUAL_NODE}; make test-vm makes it with tools/virtual-node"
    if "PYTEST_XDIST_WORKER" in os.environ:
        return "one machine for all its tests, and it takes two processors: make test-vm"
    return _lacks("qemu-system-x86_64", "setpriv", "dpkg-deb", "busybox")


def _lacks_upstream_proto() -> str | None:
    if not UPSTREAM_PROTO.exists():
        return f"no {UPSTREAM_PROTO}"
    return _lacks_protoc()


def _lacks_protoc() -> str | None:
    return None if PROTOC.exists() else f"no {PROTOC}; make it with make .venv/protos"


def _lacks_lowest() -> str | None:
    return None if LOWEST.exists() else f"no {LOWEST}; make it with make .venv/lowest"


def _lacks_go() -> str | None:
    if not (GO_PACKAGES / "src/google.golang.org/grpc").is_dir():
        return "not installed: golang-google-grpc-dev"
    return _lacks("go")


REASONS_TO_SKIP: dict[str, Callable[[], str | None]] = {
    "root": _lacks_root,
    "containerd1": lambda: _lacks_root() or _lacks("containerd", "runc"),
    "containerd2": _lacks_second_generation,
    "crun": lambda: _lacks_root() or _lacks("crun"),
    "gcc": lambda: _lacks("gcc"),
    "upstream_proto": _lacks_upstream_proto,
    "protoc": _lacks_protoc,
    "lowest": _lacks_lowest,
    "go": _lacks_go,
    "peers": _lacks_peers,
    "chromium": lambda: _lacks("chromium"),
    "vm": _lacks_virtual_node,
    "fault": lambda: _lacks_root() or _lacks("strace"),
}


def pytest_configure() -> None:
    """Before any test imports grpc, whose handlers of fork() abort a child now and then."""
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


EXPECTED_SKIPS = (
    "this kernel has no NS_GET_ID",
    "mount: ",
    "no package index",
    "no Python 3.9 on this machine",
    "/tmp is in memory here",
)
"""How reasons begin that no installed package mends: CI takes these, and no other."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --require."""
    parser.addoption(
        "--require",
        default="all" if os.environ.get("CI") == "true" else "",
        help="markers, comma separated or `all`, whose tests must run: a skip is a failure",
    )


def _required(config: pytest.Config) -> set[str]:
    words = {word for word in str(config.getoption("--require")).split(",") if word}
    if "all" in words:
        return set(REASONS_TO_SKIP)
    unknown = words - set(REASONS_TO_SKIP)
    if unknown:
        raise pytest.UsageError(
            f"--require: unknown {sorted(unknown)}; known: {list(REASONS_TO_SKIP)}"
        )
    return words


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail, what this machine cannot run."""
    for marker, reason_to_skip in REASONS_TO_SKIP.items():
        if item.get_closest_marker(marker) is None:
            continue
        reason = reason_to_skip()
        if reason is None:
            continue
        if marker in _required(item.config):
            pytest.fail(f"--require={marker}: {reason}", pytrace=False)
        pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every test has to run, fail one that skipped itself for a reason not expected."""
    report = yield
    if report.skipped and "all" in str(item.config.getoption("--require")).split(","):
        told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = told.removeprefix("Skipped: ")
        if not reason.startswith(EXPECTED_SKIPS):
            report.outcome = "failed"
            report.longrepr = f"--require=all: skipped, {reason}"
    return report


@pytest.fixture(autouse=True)
def _no_descriptor_is_left_open() -> Iterator[None]:
    """Fail a test that leaves a file descriptor behind in this process."""
    if sys.platform != "linux":
        yield
        return
    before = set(os.listdir("/proc/self/fd"))
    yield
    # grpc closes a connection on a thread of its own, a moment after its channel was closed.
    deadline_s = time.monotonic() + _CLOSING_S
    while (left := _left_open(before)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert not left, f"left open: {left}"


def _left_open(before: set[str]) -> dict[str, str]:
    """Descriptors that were not there before, and what they lead to."""
    left: dict[str, str] = {}
    for fd in set(os.listdir("/proc/self/fd")) - before:
        with contextlib.suppress(FileNotFoundError):
            left[fd] = os.readlink(f"/proc/self/fd/{fd}")
    # grpc keeps its own poller and event descriptors for the life of the process.
    return {fd: to for fd, to in left.items() if not to.startswith("anon_inode:")}
