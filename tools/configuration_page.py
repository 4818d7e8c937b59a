"""Writes docs/configuration.md from the configuration's struct.

`python -m tools.configuration_page` prints it, `--write` writes it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from nsledger.daemon.config_text import page

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
