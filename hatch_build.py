"""Takes man pages and completions into the wheel where `make wheel` has made them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_PLACES = {
    "build/man": "share/man/man1",
    "build/completions/bash": "share/bash-completion/completions",
    "build/completions/zsh": "share/zsh/site-functions",
    "build/completions/fish": "share/fish/vendor_completions.d",
}


class CustomBuildHook(BuildHookInterface[Any]):
    """Adds what is there: a wheel that is built from the source alone goes without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Name the directories that there are."""
        for here, there in _PLACES.items():
            if (Path(self.root) / here).is_dir():
                build_data["shared_data"][here] = there
