"""A ledger that c492bef wrote is read today, and every answer then is in the answer now.

Keys may come to an answer, and nothing may go or change; how a sentence is put may change. An
answer that was wrong then is in `CORRECTED`, with the reason.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from tests.contract.golden_ledger import FORMS, VECTORS, Answer, answers, ask

PROSE = frozenset({"text", "remedy", "summary"})
"""Keys whose values are sentences for people."""

CORRECTED: dict[tuple[str, ...], str] = {
    ("report",): "ends with 0 when it wrote what was asked; findings has the status for bad news"
}
"""Command lines that answer otherwise today: all that begin with these words, and why."""


@pytest.fixture(scope="module", params=FORMS)
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    form = str(request.param)
    return Path(shutil.copytree(VECTORS / form, tmp_path_factory.mktemp("golden") / form))


def test_what_was_answered_then_is_answered_now(copy: Path) -> None:
    asked = [answer for answer in answers() if answer.form == copy.name]
    differences = [difference for then in asked for difference in _differences(then, copy)]

    assert len(asked) > 70
    assert not differences, "\n".join(differences[:20])


def test_a_missing_key_and_another_value_are_differences_and_a_new_key_is_none() -> None:
    then = {"a": [{"b": 1, "text": "put so"}], "c": None}

    assert not list(_changes(then, {"a": [{"b": 1, "text": "put so now"}], "c": None, "d": 2}, ""))
    assert list(_changes(then, {"a": [{"b": 1, "text": "put so"}]}, "")) == [".c: gone"]
    assert list(_changes(then, {"a": [{"b": True, "text": ""}], "c": None}, "")) == [
        ".a[0].b: 1, now True"
    ]
    assert list(_changes(then, {"a": [], "c": None}, "")) == [".a: 1 of them, now 0"]


def _differences(then: Answer, directory: Path) -> list[str]:
    if any(then.arguments[: len(words)] == list(words) for words in CORRECTED):
        return []
    code, out = ask(then.arguments, directory)
    if code != then.code:
        return [f"{then.arguments}: exit status {then.code}, now {code}"]
    try:
        changes = _changes(msgspec.json.decode(then.out), msgspec.json.decode(out), "")
    except msgspec.DecodeError:
        changes = _changes(then.out.splitlines(), out.splitlines(), "")
    return [f"{then.arguments}: {change}" for change in changes]


def _changes(then: object, now: object, where: str) -> list[str]:
    match then, now:
        case dict(), dict():
            found = []
            for key, value in then.items():
                if key not in now:
                    found.append(f"{where}.{key}: gone")
                elif not (key in PROSE and isinstance(value, str)):
                    found += _changes(value, now[key], f"{where}.{key}")
            return found
        case list(), list() if len(then) != len(now):
            return [f"{where}: {len(then)} of them, now {len(now)}"]
        case list(), list():
            pairs = enumerate(zip(then, now, strict=True))
            return [change for at, pair in pairs for change in _changes(*pair, f"{where}[{at}]")]
        case _ if type(then) is not type(now) or then != now:
            return [f"{where}: {then!r}, now {now!r}"]
        case _:
            return []
