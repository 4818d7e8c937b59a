from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from nsledger.cli.main import LazyGroup


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    package = tmp_path / "lazily_imported"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "good.py").write_text("import click\ncommand = click.Command('good')\n")
    (package / "bad.py").write_text("command = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    return LazyGroup(
        package="lazily_imported",
        purposes={"good": "Does it.", "bad": "Is none.", "absent": "Is not there."},
        name="group",
    )


def test_help_lists_commands_in_the_order_given_and_imports_none(group: LazyGroup) -> None:
    context = click.Context(group)

    help_text = group.get_help(context)

    assert help_text.index("good") < help_text.index("bad") < help_text.index("absent")
    assert "Does it." in help_text
    assert not any(name.startswith("lazily_imported") for name in sys.modules)


def test_a_command_is_imported_when_it_is_asked_for(group: LazyGroup) -> None:
    context = click.Context(group)

    found = group.get_command(context, "good")

    assert found is not None
    assert found.name == "good"
    assert group.get_command(context, "os") is None


def test_a_module_without_a_command_is_a_mistake_of_ours(group: LazyGroup) -> None:
    with pytest.raises(TypeError, match=r"lazily_imported\.bad"):
        group.get_command(click.Context(group), "bad")
