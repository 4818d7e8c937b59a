"""What nsledger.toml says of the paths that an installation and the doctor rely on.

The hook's spool, the kubelet's endpoint and the runtime's socket are written into other files, so
an admin's nsledger.toml must not say otherwise; the ledger may lie anywhere. What is wrong with the
rest of the file is the daemon's to say.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.node.containerd import DEFAULT_SOCKET
from nsledger.node.hook_files import SPOOL
from nsledger.node.root import Host

NSLEDGER_TOML: Final = "/etc/nsledger/nsledger.toml"
SOCKET: Final = "/run/nsledger/cri.sock"
ENDPOINT: Final = f"unix://{SOCKET}"
"""The socket as the kubelet is told of it."""
LEDGER: Final = "/var/lib/nsledger/ledger"


class SettingsConflictError(NsledgerError):
    """The daemon was told another path than what has to meet it there is told."""

    hint = (
        "Leave the key out of nsledger.toml, or give it that value; then run `nsledger install` "
        "again."
    )

    def __init__(self, *, key: str, found: str, needed: str) -> None:
        super().__init__(f"{NSLEDGER_TOML}: found {key} = {found!r}, needed {needed!r}")
        self.key = key


@dataclass(frozen=True, slots=True)
class Settings:
    """The paths in force: the file's, else the daemon's defaults."""

    listen: str = SOCKET
    upstream: str = DEFAULT_SOCKET
    ledger: str = LEDGER
    spool: str = SPOOL
    names_upstream: bool = False
    """Whether the file says which the runtime's socket is."""

    @classmethod
    def of(cls, host: Host) -> Settings:
        """Those of a node; the defaults where nsledger.toml is missing or no TOML."""
        data = host.read(NSLEDGER_TOML) or b""
        try:
            told = tomllib.loads(data.decode(errors="replace"))
        except tomllib.TOMLDecodeError:
            return cls()
        keys = ("listen", "upstream", "ledger", "spool")
        paths = {key: str(told[key]) for key in keys if key in told}
        return cls(**paths, names_upstream="upstream" in told)

    def require(self, *, upstream: str) -> None:
        """Nothing, if the daemon will be met where an installation has the others look for it.

        Raises:
            SettingsConflictError: it will not.
        """
        needed = {"listen": SOCKET, "spool": SPOOL, "upstream": upstream}
        found = {"listen": self.listen, "spool": self.spool, "upstream": self.upstream}
        for key, path in needed.items():
            if found[key] != path:
                raise SettingsConflictError(key=key, found=found[key], needed=path)
