"""The picture of imports in ARCHITECTURE.md: `python -m tools.import_picture [--write|--check]`.

Packages stand on floors. A package's floor is one above the highest package that it imports, so
every arrow points down; where packages import each other in a circle there are no floors, and the
tool says which packages they are.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "shim/nsledger"
DOCUMENT = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- imports: begin -->\n", "<!-- imports: end -->\n"


class ImportCircleError(Exception):
    """Packages or modules import each other in a circle."""

    def __init__(self, members: list[str]) -> None:
        super().__init__(f"these import each other in a circle: {' -> '.join(members)}")
        self.members = members


def module_imports() -> dict[str, set[str]]:
    """What each module of nsledger imports of nsledger, when it is itself imported."""
    paths = {_module(path): path for path in PACKAGE.rglob("*.py") if "generated" not in path.parts}
    return {
        module: {target for target in _targets(path, paths) if target != module}
        for module, path in paths.items()
    }


def package_imports() -> dict[str, set[str]]:
    """The same by package, such as `relay` or `cli`; `errors` is a module and counts as one."""
    found: dict[str, set[str]] = {}
    for module, targets in module_imports().items():
        if module != "nsledger":
            of_package = found.setdefault(_package(module), set())
            of_package.update(_package(target) for target in targets if target != "nsledger")
    return {package: targets - {package} for package, targets in found.items()}


def floors(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The names by floor, the highest first.

    Raises:
        ImportCircleError: some import each other in a circle.
    """
    height: dict[str, int] = {}

    def of(name: str, above: tuple[str, ...]) -> int:
        if name in above:
            raise ImportCircleError([*above[above.index(name) :], name])
        if name not in height:
            height[name] = 1 + max((of(one, (*above, name)) for one in imports[name]), default=-1)
        return height[name]

    for name in imports:
        of(name, ())
    top = max(height.values())
    return [sorted(n for n in height if height[n] == level) for level in range(top, -1, -1)]


def picture() -> str:
    """The floors as text, with what each package imports directly."""
    imports = package_imports()
    sizes = Counter(_package(module) for module in module_imports() if module != "nsledger")
    lines = ["```"]
    stacked = floors(imports)
    height = len(stacked)
    for level, names in enumerate(stacked):
        for name in names:
            size = sizes[name]
            files = f"{size} file" if size == 1 else f"{size} files"
            targets = " ".join(sorted(imports[name])) or "-"
            lines += _wrapped(f"{height - level:>2}  {name:<9}{files:>9}  -> ", targets)
    return "\n".join([*lines, "```", ""])


def _wrapped(head: str, words: str, width: int = 108) -> Iterator[str]:
    line = head
    for word in words.split():
        if len(line) + len(word) > width:
            yield line.rstrip()
            line = " " * len(head)
        line += word + " "
    yield line.rstrip()


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _package(module: str) -> str:
    return module.split(".")[1]


def _targets(path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if full in modules:
                    yield full
                elif node.module in modules:
                    yield node.module


def main(arguments: list[str]) -> int:
    """Print the picture, write it into the document, or say whether that has it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    drawn = f"{before}{BEGIN}{picture()}{END}{after}"
    match arguments:
        case ["--write"]:
            DOCUMENT.write_text(drawn, encoding="utf-8")
        case ["--check"]:
            if text != drawn:
                sys.stderr.write(f"{DOCUMENT.name} shows other imports: run it with --write\n")
                return 1
        case _:
            sys.stdout.write(picture())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
