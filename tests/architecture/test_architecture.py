"""ARCHITECTURE.md is short, names files that are there, and shows the imports as they are."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.architecture.documents import ROOT, inline
from tools import import_picture

DOCUMENT = ROOT / "ARCHITECTURE.md"
PACKAGE = ROOT / "shim/nsledger"
MOST_CLI_MODULES = 35
TWICE = {
    "connection": "relay/h2 knows its frames, relay its sockets",
    "errors": "raised below, shown by cli",
    "judgement": "the value in model, how it is made in rules",
    "matrix": "folded in state, drawn by render",
    "pods": "folded in state, drawn by render",
    "namespaces": "the words in model, read from the kernel in proc",
    "schemas": "made by render, listed by cli",
}
"""Names that more than one file has, and how they are one thing; a command's file has its name."""


def test_it_is_short_enough_to_be_read() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()

    assert len(lines) < 200
    assert [line for line in lines if len(line) > 110] == []


def test_it_shows_the_imports_as_they_are() -> None:
    assert import_picture.main(["--check"]) == 0


def test_no_module_imports_another_in_a_circle_and_no_package_does() -> None:
    import_picture.floors(import_picture.module_imports())
    import_picture.floors(import_picture.package_imports())


def test_a_circle_is_found() -> None:
    with pytest.raises(import_picture.ImportCircleError) as caught:
        import_picture.floors({"a": {"b"}, "b": {"c"}, "c": {"b"}})

    assert caught.value.members == ["b", "c", "b"]


def test_every_file_that_it_names_is_there() -> None:
    named = {
        word for word in inline(DOCUMENT) if re.fullmatch(r"[a-z0-9_]+(/[a-z0-9_]+)+(\.py|/)", word)
    }

    assert named
    assert [
        one for one in named if not any((base / one).exists() for base in (PACKAGE, ROOT))
    ] == []


def test_the_command_line_has_no_more_modules_than_can_be_overlooked() -> None:
    modules = [path for path in (PACKAGE / "cli").rglob("*.py") if path.stem != "__init__"]

    assert len(modules) <= MOST_CLI_MODULES


def test_no_two_files_of_one_name_mean_different_things() -> None:
    names = Counter(
        path.stem
        for path in PACKAGE.rglob("*.py")
        if "generated" not in path.parts and path.parent.name != "commands"
    )

    assert {name for name, count in names.items() if count > 1} - {"__init__", *TWICE} == set()
