from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from nsledger.cli.commands.serve import command
from nsledger.daemon.config import ConfigurationError
from nsledger.relay.listener import ListenError
from tests.unit.cli.conftest import Nsledger


def in_force(output: str) -> dict[str, str]:
    lines = (line.partition(" = ") for line in output.splitlines() if " = " in line)
    return {key: value for key, _, value in lines}


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(
    tmp_path: Path,
) -> None:
    path = tmp_path / "nsledger.toml"
    path.write_text("hold_limit_s = 0.2\nstatus_timeout_s = 0.2\ndrain_timeout_s = 0.2\n")
    environment = {"NSLEDGER_HOLD_LIMIT_S": "0.3", "NSLEDGER_STATUS_TIMEOUT_S": "0.3"}
    arguments = ["--config", str(path), "--hold-limit-s", "0.4", "--check-config"]

    done = CliRunner().invoke(command, arguments, env=environment)

    assert done.exit_code == 0
    values = in_force(done.output)
    assert values["hold_limit_s"] == "0.4"
    assert values["status_timeout_s"] == "0.3"
    assert values["drain_timeout_s"] == "0.2"
    assert values["annotate"] == "true"


def test_a_value_from_the_environment_is_checked_too() -> None:
    with pytest.raises(ConfigurationError, match="hold_limit_s = 0"):
        CliRunner().invoke(
            command,
            ["--check-config"],
            env={"NSLEDGER_HOLD_LIMIT_S": "0"},
            catch_exceptions=False,
        )


def test_sockets_that_cannot_be_are_told_before_anything_is_started(tmp_path: Path) -> None:
    for arguments in (
        ["--listen", "/run/c.sock", "--upstream", "/run/../run/c.sock"],
        ["--upstream", str(tmp_path)],
    ):
        with pytest.raises(ListenError, match="must be"):
            CliRunner().invoke(command, [*arguments, "--check-config"], catch_exceptions=False)


def test_a_missing_file_is_an_error_and_not_the_defaults(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        CliRunner().invoke(
            command,
            ["--config", str(tmp_path / "none.toml"), "--check-config"],
            catch_exceptions=False,
        )


def test_help_names_every_key_and_its_environment_variable() -> None:
    text = CliRunner().invoke(command, ["--help"]).output

    assert "--write-ahead" in text
    assert "NSLEDGER_WRITE_AHEAD" in text.replace("\n", "").replace(" ", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--config", "/none.toml"],
        ["--hold-limit-s", "0"],
        ["--upstream", "/run/r.sock", "--listen", "/run/r.sock"],
        ["--listen", "/proc/no/such/place/c.sock"],
    ],
)
def test_each_start_that_fails_ends_with_the_way_back_to_the_runtime(
    nsledger: Nsledger, tmp_path: Path, arguments: list[str]
) -> None:
    places = ["--ledger", str(tmp_path / "ledger"), "--spool", str(tmp_path / "spool")]

    done = nsledger("serve", *arguments, *places)

    assert done.code != 0
    last = done.err.splitlines()[-1]
    assert "systemctl stop nsledger; ln -sfn /run/" in last


def test_a_check_of_the_configuration_is_no_start(nsledger: Nsledger) -> None:
    done = nsledger("serve", "--check-config", "--config", "/none.toml")

    assert "ln -sfn" not in done.err
