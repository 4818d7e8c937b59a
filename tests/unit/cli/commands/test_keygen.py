from __future__ import annotations

from pathlib import Path

from nsledger.cli import exit_codes
from nsledger.cli.commands.keygen import DEFAULT_KEY
from nsledger.cli.main import command
from nsledger.ledger.checkpoint_key import SigningKey
from tests.unit.cli.conftest import Nsledger


def test_it_says_what_it_made_and_nothing_secret(nsledger: Nsledger, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.key"

    done = nsledger("keygen", "--key", str(path))

    assert (done.code, done.err) == (exit_codes.OK, "")
    assert done.out.splitlines() == [
        f"key id   {SigningKey.load(str(path)).key_id}",
        f"private  {path}",
        f"public   {path}.pub",
    ]


def test_it_never_overwrites_unless_forced(nsledger: Nsledger, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.key"
    first = nsledger("keygen", "--key", str(path))

    again = nsledger("keygen", "--key", str(path))
    forced = nsledger("keygen", "--key", str(path), "--force")

    assert (again.code, again.out) == (exit_codes.NO_ANSWER, "")
    assert f"{path}: found a file, needed a path without one" in again.err
    assert "--force" in again.err
    assert forced.code == exit_codes.OK
    assert forced.out != first.out


def test_serve_looks_for_the_key_where_keygen_puts_it() -> None:
    context = command.make_context("nsledger", ["log"])
    serve = command.get_command(context, "serve")
    assert serve is not None

    assert DEFAULT_KEY in [one.default for one in serve.params if one.name == "checkpoint_key"]
