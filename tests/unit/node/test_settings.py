from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.daemon.config import Configuration
from nsledger.node.containerd import DEFAULT_SOCKET
from nsledger.node.root import Host
from nsledger.node.settings import NSLEDGER_TOML, Settings, SettingsConflictError


def told(root: Path, text: str) -> Settings:
    file = root / NSLEDGER_TOML.lstrip("/")
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return Settings.of(Host.at(str(root)))


def test_without_a_file_they_are_the_daemons_own_defaults(tmp_path: Path) -> None:
    found, daemon = Settings.of(Host.at(str(tmp_path))), Configuration()

    assert (found.listen, found.upstream) == (daemon.listen, daemon.upstream)
    assert (found.ledger, found.spool) == (daemon.ledger, daemon.spool)
    assert not found.names_upstream
    found.require(upstream=DEFAULT_SOCKET)


def test_what_the_file_says_counts_and_the_rest_of_it_is_no_matter(tmp_path: Path) -> None:
    found = told(tmp_path, "ledger = '/srv/ledger'\nupstream = '/run/k3s/c.sock'\nodd = 1\n")

    assert (found.ledger, found.upstream) == ("/srv/ledger", "/run/k3s/c.sock")
    assert found.names_upstream
    found.require(upstream="/run/k3s/c.sock")


def test_what_is_no_toml_says_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, "listen = = 1") == Settings()


@pytest.mark.parametrize("key", ["listen", "spool", "upstream"])
def test_a_path_at_which_nobody_would_meet_the_daemon_is_a_conflict(
    key: str, tmp_path: Path
) -> None:
    found = told(tmp_path, f"{key} = '/elsewhere'\n")

    with pytest.raises(SettingsConflictError, match=f"found {key} = '/elsewhere'") as caught:
        found.require(upstream=DEFAULT_SOCKET)

    assert caught.value.key == key
    assert caught.value.hint


def test_a_runtime_elsewhere_has_to_be_told_to_the_daemon(tmp_path: Path) -> None:
    with pytest.raises(SettingsConflictError, match=r"needed '/run/k3s/c\.sock'"):
        told(tmp_path, "annotate = false\n").require(upstream="/run/k3s/c.sock")
