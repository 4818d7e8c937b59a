from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from nsledger.daemon.config import Configuration, ConfigurationError, check, read


def file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "nsledger.toml"
    path.write_text(text, errors="surrogateescape")
    return str(path)


def test_every_key_has_a_default_and_a_description() -> None:
    for field in msgspec.structs.fields(Configuration):
        assert field.default is not msgspec.NODEFAULT
        described = [m.description for m in field.type.__metadata__ if isinstance(m, msgspec.Meta)]
        assert any(described), field.name


def test_defaults_are_themselves_allowed() -> None:
    for key, value in msgspec.structs.asdict(Configuration()).items():
        check(key, value, path="defaults")


@pytest.mark.parametrize(
    "address", ["", "/run/m.sock", "127.0.0.1:9464", "127.255.0.1:1", "localhost:65535", "[::1]:80"]
)
def test_metrics_may_be_asked_for_at_home(address: str) -> None:
    check("metrics_listen", address, path="here")


def test_a_file_gives_the_keys_it_sets_and_no_other(tmp_path: Path) -> None:
    assert read(file(tmp_path, "annotate = false\nhold_limit_s = 0.5\n")) == {
        "annotate": False,
        "hold_limit_s": 0.5,
    }


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("# a comment\nlistne = '/run/x'\n", 2, ["listne", "listen"]),
        ("annotate = true\n\nhold_limit_s = 0\n", 3, ["hold_limit_s = 0", "> 0"]),
        ("failure_policy = 'maybe'\n", 1, ["failure_policy = 'maybe'", "maybe"]),
        ("annotate = 'yes'\n", 1, ["annotate = 'yes'", "bool"]),
        ("listen = ''\n", 1, ["listen = ''", "length"]),
        ("[annotate]\nx = 1\n", 1, ["annotate", "bool"]),
        ("listen = '/x'\nannotate = = 1\n", 2, ["needed TOML"]),
        ("listen = '/x'\nlisten = '/y'\n", 2, ["needed TOML"]),
        ("listen = '/x'\nledger = '/\udcff'\n", 2, ["0xff", "UTF-8"]),
        ("metrics_listen = '0.0.0.0:9464'\n", 1, ["0.0.0.0:9464", "loopback"]),
        ("metrics_listen = '127.0.0.1:65536'\n", 1, ["65536", "loopback"]),
        ("metrics_listen = '127.0.0.256:80'\n", 1, ["256", "loopback"]),
        ("hold_limit_s = nan\n", 1, ["nan"]),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_and_line(
    tmp_path: Path, text: str, line: int, words: list[str]
) -> None:
    path = file(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        read(path)

    assert caught.value.line == line
    assert str(caught.value).startswith(f"{path}:{line}: ")
    for word in words:
        assert word in str(caught.value)
