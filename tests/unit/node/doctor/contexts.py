"""A node for the doctor to look at: files below a directory, and answers made up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from nsledger.cri.client import RuntimeCallError
from nsledger.node.containerd_plan import Containerd
from nsledger.node.doctor.context import Asking, CheckContext
from nsledger.node.root import Done, Host


def refuse(*_: object) -> tuple[str, str]:
    raise RuntimeCallError(method="Version", code="UNAVAILABLE")


@dataclass
class ThisMachine:
    """A host that runs, as far as its programs' output goes."""

    printed: Mapping[str, str] = field(default_factory=dict[str, str])
    """By a word of the command line."""
    is_this_machine: bool = True

    def run(self, *argv: str) -> Done:
        for word, text in self.printed.items():
            if word in argv:
                return Done(argv, 0, text, "")
        return Done(argv, 1, "", "")

    def exists(self, path: str) -> bool:
        """Systemd runs here, and containerd has no configuration."""
        return path.startswith("/run/systemd/")

    def read(self, _path: str) -> bytes | None:
        return None

    def outside(self, path: str) -> str:
        return path

    def resolve(self, path: str) -> str:
        return path

    def glob(self, _pattern: str) -> list[str]:
        return []

    def names(self, _directory: str) -> list[str]:
        return []

    @property
    def enter(self) -> tuple[str, ...]:
        return ()


def context(
    host: Path | ThisMachine,
    *,
    version: tuple[str, str] | None = ("containerd", "2.1.0"),
    last_record_ns: int | None = None,
    run_probe: Callable[[Containerd, str, str], None] | None = None,
    runs: bool = True,
) -> CheckContext:
    """Of a directory: a node's root, with a kernel under it unless it `runs` not."""
    asking = Asking(
        runtime_version=refuse if version is None else lambda _: version,
        last_record_ns=lambda _: last_record_ns,
        run_probe=run_probe,
    )
    if isinstance(host, Path):
        node = Host.at(str(host))
        if runs:
            (host / "proc/self").mkdir(parents=True, exist_ok=True)
            (host / "proc/self/status").touch()
    else:
        node = cast("Host", host)
    return CheckContext(node, asking, program="containerd", main="/etc/containerd/config.toml")
