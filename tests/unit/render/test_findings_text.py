"""Findings for people: every line says its result in words, and a remedy where there is one."""

from __future__ import annotations

from nsledger.render.doctor_table import Row, draw
from nsledger.render.text import Screen

ROWS = [
    Row("ptrace", "ok", "CAP_SYS_PTRACE is there", "not shown"),
    Row("handlers", "failed", "no base spec with the hook: runc", "Run `nsledger install`."),
    Row("hook-fires", "unknown", "not tried", ""),
]


def test_a_remedy_stands_below_what_it_is_for_and_nowhere_else() -> None:
    assert list(draw(ROWS, Screen(unicode=False))) == [
        "ok       ptrace      CAP_SYS_PTRACE is there",
        "failed   handlers    no base spec with the hook: runc",
        "                     > Run `nsledger install`.",
        "unknown  hook-fires  not tried",
        "1 ok, 1 unknown, 1 failed",
    ]


def test_what_a_node_says_cannot_steer_the_terminal() -> None:
    (line, _) = draw([Row("a", "ok", "\x1b[2Jgone", "")], Screen())

    assert "\x1b" not in line


def test_colour_is_beside_the_word_and_not_instead_of_it() -> None:
    lines = list(draw(ROWS, Screen(color=True)))

    assert "\x1b[" in lines[0]
    assert "failed" in lines[1]
