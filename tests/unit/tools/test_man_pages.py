from __future__ import annotations

import shutil
import subprocess

import pytest

from nsledger.cli.main import command
from tools.man_pages import pages

PAGES = dict(pages())


def test_every_command_has_its_page() -> None:
    names = command.list_commands(command.make_context("nsledger", ["log"]))

    assert set(PAGES) == {"nsledger.1", *(f"nsledger-{name}.1" for name in names)}


@pytest.mark.skipif(shutil.which("groff") is None, reason="not installed: groff")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_rendered_without_a_warning(name: str) -> None:
    done = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-z"],
        input=PAGES[name].encode(),
        capture_output=True,
        check=True,
    )

    assert done.stderr == b""


def test_a_page_says_what_help_says() -> None:
    page = PAGES["nsledger-whois.1"]

    for part in (".SH NAME", "--at", ".SH EXAMPLES", ".SH TIMES", ".SH EXIT STATUS"):
        assert part.replace("-", "\\-") in page
    assert "nsledger whois net:[4026532257]" in page
