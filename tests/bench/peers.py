"""The compiled peers, built where they are needed: with Debian's Go, nothing from the network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

_SOURCES: Final = Path(__file__).with_name("peers")
_ROOT: Final = Path(__file__).parents[2]
_CACHE: Final = _ROOT / ".cache"
_DEBIAN_GOPATH: Final = Path("/usr/share/gocode")
_PACKAGES: Final = ("golang-go", "golang-google-grpc-dev", "nginx-light")


class PeerMissingError(Exception):
    """What the benchmark is measured against cannot be had."""


def install() -> None:
    """Have Go, grpc-go and nginx.

    Raises:
        PeerMissingError: they are not there, and cannot be installed.
    """
    done = subprocess.run([_ROOT / "tools/system-packages", *_PACKAGES], check=False)
    missing = lacking()
    if done.returncode != 0 or missing:
        raise PeerMissingError(f"missing: {missing or 'a package'} (see above)")


def lacking() -> str | None:
    """What is not installed of what the benchmark needs."""
    for program in ("go", "nginx"):
        if _program(program) is None:
            return program
    grpc = _DEBIAN_GOPATH / "src/google.golang.org/grpc"
    return None if grpc.is_dir() else str(grpc)


def nginx() -> str:
    """The path of nginx, which is not always on a user's PATH."""
    return _program("nginx") or "nginx"


def build() -> Path:
    """The program of tests/bench/peers; the second time from the compiler's cache.

    Raises:
        PeerMissingError: it does not compile here.
    """
    program = _CACHE / "bench/peers"
    environment = os.environ | {
        # Debian's Go packages are a GOPATH; as modules they would be looked for on the network.
        "GO111MODULE": "off",
        "GOPATH": str(_DEBIAN_GOPATH),
        "GOFLAGS": "",
        "GOCACHE": str(_CACHE / "go"),
    }
    done = subprocess.run(
        ["go", "build", "-o", program, "."],
        cwd=_SOURCES,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise PeerMissingError(f"go build in {_SOURCES.name}/: {done.stderr}")
    return program


class Load:
    """The load generator, which obeys one order after the other."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program, "load"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def order(self, do: str, **order: object) -> dict[str, Any]:
        """Have one order carried out; what it answered.

        Raises:
            RuntimeError: it, or a call of it, failed.
        """
        orders, results = self._process.stdin, self._process.stdout
        if orders is None or results is None:
            raise AssertionError("Popen was asked for pipes")
        orders.write(json.dumps({"do": do, **order}) + "\n")
        orders.flush()
        result: dict[str, Any] = json.loads(results.readline() or '{"error": "it ended"}')
        if "error" in result or result.get("failed"):
            raise RuntimeError(f"{do} {order}: {result}")
        return result

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
