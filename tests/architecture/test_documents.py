"""The documents name what is there: commands with their options, make's targets, files, tests."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from nsledger.cli.main import command as group
from nsledger.node.doctor.purposes import PURPOSES
from tests.architecture.documents import DOCUMENTS, ROOT, commands, inline, lines_of_code
from tests.node.test_installation import INSTALLABLE

README = ROOT / "README.md"
A_PLACE_HERE = re.compile(
    r"(?:\./)?((?:shim|hooks|tests|tools|docs|systemd|protos|packaging|demo|requirements)/[\w./-]*)"
)
STANDS_FOR = {
    "TYPE": "pid",
    "COMMAND": "show",
    "T": "10m",
    "A": "10m",
    "B": "5m",
    "SEVERITY": "high",
    "FILE": __file__,
    "PUB": __file__,
    "SEQ:HASH": f"1:{'0' * 64}",
}
"""What a reader puts in place of a word in capitals, where not any word will do."""

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


def subcommand(name: str) -> click.Command | None:
    return group.get_command(click.Context(group), name)


@pytest.mark.parametrize(
    "document",
    # What is wrong in docs/habits.md is so on purpose: tests/unit/cli/test_habits.py runs it.
    [document for document in DOCUMENTS if document.name != "habits.md"],
    ids=lambda path: path.name,
)
def test_every_command_line_of_nsledger_is_one_that_it_takes(document: Path) -> None:
    for words in commands(document, "nsledger"):
        if words[0].startswith("-"):
            continue  # `nsledger --version`
        name, *arguments = [STANDS_FOR.get(word.strip("[]"), word) for word in words]
        found = subcommand(name)
        assert found is not None, f"nsledger {name}"
        if len(arguments) == 1 and arguments[0].startswith("-"):  # an option's name, no more
            known = {word for one in found.params for word in (*one.opts, *one.secondary_opts)}
            assert arguments[0] in known | {"-h", "--help"}, words
        elif arguments or not any(one.required for one in found.params):
            try:
                found.make_context(name, arguments, parent=click.Context(group))
            except click.ClickException as error:
                pytest.fail(f"nsledger {name} {arguments}: {error.format_message()}")


def test_every_command_is_in_the_readme() -> None:
    text = README.read_text(encoding="utf-8")
    shown = set(re.findall(r"nsledger ([a-z]+)", text))

    assert set(group.list_commands(click.Context(group))) <= shown


@documents
def test_every_target_of_make_is_there(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z./-]+):", makefile, re.MULTILINE))
    benches = {path.stem.removesuffix("_bench") for path in ROOT.glob("tests/bench/*_bench.py")}

    for words in commands(document, "make"):
        for word in words:
            if word.startswith("BENCH="):
                assert set(word.removeprefix("BENCH=").split("|")) <= benches | {"...", "name"}
            else:
                assert word in targets, words


def test_every_target_of_make_that_people_type_is_listed_by_help() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)", makefile, re.MULTILINE)

    assert set(phony.split()) == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


@documents
def test_every_file_of_the_repository_that_is_named_is_there(document: Path) -> None:
    for found in inline(document):
        place = A_PLACE_HERE.fullmatch(found.split(" ")[0].partition("::")[0])
        if place is not None:
            assert (ROOT / place[1]).exists(), found


@documents
def test_no_link_is_dead(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    linked = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    named = re.findall(r"(?<![\w/.])(docs/[\w-]+\.(?:md|svg|json))\b", text)

    for place in linked:
        assert (document.parent / place).exists(), place
    for place in named:
        assert (ROOT / place).exists(), place


@documents
def test_every_test_that_is_named_is_there(document: Path) -> None:
    named = {
        name
        for line in lines_of_code(document)
        for name in re.findall(r"\btest_\w+(?![\w.]*\.py)", line)
    }
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    files = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}

    assert named <= defined | files, named - defined - files


def test_the_numbers_that_the_readme_tells_are_counted() -> None:
    text = README.read_text(encoding="utf-8")
    verifier = (ROOT / "tools/verify_ledger.py").read_text(encoding="utf-8")

    assert f"# {len(PURPOSES)} named checks" in text
    running = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    assert f"the {len(INSTALLABLE)} installable field configurations" in running
    assert f"`tools/verify_ledger.py` ({len(verifier.splitlines())} lines" in text


def test_every_directory_of_tests_is_explained() -> None:
    told = set(re.findall(r"^\| `(\w+)/`", (ROOT / "tests/README.md").read_text(), re.MULTILINE))
    there = {path.parent.name for path in (ROOT / "tests").glob("*/*.py")}

    assert told == there
