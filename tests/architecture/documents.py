"""What the documents of the repository say, taken apart: code blocks and words in backticks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

DOCUMENTS = (
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/*.md")),
    *(ROOT / f"{name}/README.md" for name in ("demo", "hooks", "systemd", "tests")),
)

_BLOCK = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")


def inline(document: Path) -> list[str]:
    """What stands in backticks; in a table a pipe is written `\\|`."""
    text = _BLOCK.sub("", document.read_text(encoding="utf-8"))
    return [found.replace("\\|", "|") for found in _INLINE.findall(text)]


def lines_of_code(document: Path) -> Iterator[str]:
    """The lines in code blocks, without a prompt, and what stands in backticks."""
    for block in _BLOCK.findall(document.read_text(encoding="utf-8")):
        for line in block.splitlines():
            yield line.removeprefix("$ ").strip()
    yield from inline(document)


def commands(document: Path, program: str) -> Iterator[list[str]]:
    """The words of each command line that runs `program`, without its name and what is piped on."""
    for line in lines_of_code(document):
        for part in line.split(" | "):
            if part.startswith((f"{program} ", f"sudo {program} ")):
                words = shlex.split(part, comments=True)
                yield words[words.index(program) + 1 :]
