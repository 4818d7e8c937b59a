"""The command line is the one that systemd builds; `tests/node/test_systemd_oracle.py` asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsledger.node.unit_files import read_unit
from tests.unit.node.nodes import node

ETC, USR = "/etc/systemd/system", "/usr/lib/systemd/system"


def argv(root: Path, files: dict[str, str]) -> list[str]:
    unit = read_unit("kubelet.service", node(root, dict(files)))
    assert unit is not None
    return list(unit.argv)


def of_line(root: Path, line: str, **files: str) -> list[str]:
    """The arguments of a unit that has `line` in its Service section."""
    text = f"[Unit]\nExecStart=/no\n[Service]\n{line}\n"
    more = {f"/{name}.env": content for name, content in files.items()}
    return argv(root, {f"{USR}/kubelet.service": text, **more})[1:]


@pytest.mark.parametrize("content", [None, "", "-> /dev/null"])
def test_no_file_and_a_masked_one_are_no_service(content: str | None, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{USR}/kubelet.service": "[Service]\nExecStart=k"}
    if content is None:
        files = {}
    else:
        files[f"{ETC}/kubelet.service"] = content

    assert read_unit("kubelet.service", node(tmp_path, files)) is None


def test_an_empty_command_line_takes_back_the_ones_before(tmp_path: Path) -> None:
    files = {
        f"{USR}/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet --old\n",
        f"{USR}/kubelet.service.d/10.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet\n",
    }

    assert argv(tmp_path, files) == ["/usr/bin/kubelet"]


def test_the_place_nearest_to_the_admin_counts_for_each_name(tmp_path: Path) -> None:
    run, conf = "/run/systemd/system", "kubelet.service.d"
    files = {
        f"{USR}/kubelet.service": "[Service]\nExecStart=usr",
        f"{ETC}/kubelet.service": "[Service]\nExecStart=etc $A $B $C $D",
        f"{USR}/{conf}/10.conf": "[Service]\nEnvironment=A=usr",
        f"{run}/{conf}/10.conf": "[Service]\nEnvironment=A=run",
        f"{ETC}/{conf}/10.conf": "[Service]\nEnvironment=A=etc",
        f"{USR}/{conf}/20.conf": "[Service]\nEnvironment=B=usr D=usr",
        f"{run}/{conf}/20.conf": "[Service]\nEnvironment=B=run",
        f"{USR}/{conf}/30.conf": "[Service]\nEnvironment=C=usr",
        f"{ETC}/{conf}/30.conf": "-> /dev/null",
        f"{USR}/service.d/20.conf": "[Service]\nEnvironment=B=any",
        f"{USR}/service.d/15.conf": "[Service]\nEnvironment=D=any",
    }

    assert argv(tmp_path, files) == ["etc", "etc", "run", "any"]


def test_an_alias_has_the_drop_ins_of_both_names(tmp_path: Path) -> None:
    files = {
        f"{USR}/kubelet-1.service": "[Service]\nExecStart=k %n $A $B",
        f"{ETC}/kubelet.service": f"-> {USR}/kubelet-1.service",
        f"{ETC}/kubelet.service.d/a.conf": "[Service]\nEnvironment=A=1",
        f"{ETC}/kubelet-.service.d/b.conf": "[Service]\nEnvironment=B=2",
    }

    assert argv(tmp_path, files) == ["k", "kubelet-1.service", "1", "2"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "ExecStart=k \\\n  --a \\\n  # --no\n  --b\n#ExecStart=/no\n; ExecStart=/no",
            ["--a", "--b"],
        ),
        ("ExecStart=k --a\\\\", ["--a\\"]),
        ('ExecStart=-@/bin/k kubelet \'a b\'c "d\\"e" f\\x20g \\101', ["a bc", 'd"e', "f g", "A"]),
        ("ExecStart=k %n %N %p %% %t/x", ["kubelet.service", "kubelet", "kubelet", "%", "/run/x"]),
        ("ExecStart=k $$A ${B}x --a=$C $NO", ["$A", "x", "--a=$C"]),
        (
            "Environment=A=1 'B=2 3' \"C='4 5' 6\"\nExecStart=k $A $B ${B} $C",
            ["1", "2", "3", "2 3", "4 5", "6"],
        ),
        ("Environment=A=1\nEnvironment=\nExecStart=k $A", []),
        ("Environment=A=1 B=2\nUnsetEnvironment=A\nExecStart=k $A $B", ["2"]),
        ("Environment=A=x\nExecStart=:k $A ${A}", ["$A", "${A}"]),
        ("ExecStart=k a ';' \\; b", ["a", ";", ";", "b"]),
        ("EnvironmentFile=/no.env\nEnvironmentFile=\nExecStart=k ok", ["ok"]),
        ("ExecStart = k  spaced  ", ["spaced"]),
        ("Environment=A=1 B=\\q C=2\nExecStart=k \\q $A $C", ["\\q", "1"]),
    ],
)
def test_a_line_is_read_as_systemd_reads_it(line: str, words: list[str], tmp_path: Path) -> None:
    assert of_line(tmp_path, line) == words


def test_crlf_and_a_byte_order_mark_are_no_part_of_a_line(tmp_path: Path) -> None:
    text = b"\xef\xbb\xbf[Service]\r\nExecStart=k \\\r\n  --a\r\n"
    unit = read_unit("kubelet.service", node(tmp_path, {f"{USR}/kubelet.service": text}))

    assert unit is not None
    assert unit.argv == ("k", "--a")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=1 2  ", "1 2"),
        ('A="1 2"', "1 2"),
        ("A='1 \"2'", '1 "2'),
        ("A=1\\\n2", "12"),
        ('A="1 \\\n2"', "1 2"),
        ("# A=1\n; A=2\nA=3", "3"),
        ("# c \\\nA=1\nA=2", "2"),
        ("A=1\nA=2", "2"),
        ("A=1\nB", "1"),
        ("export A=1\nA=2", "2"),
        ('A="1" "2"', "12"),
        ('A=1"2"', '1"2"'),
        ('A="\\$1\\n"', "$1\\n"),
        ("A=1\r\n", "1"),
        ("  A = 1", "1"),
        ("A=1 # 2", "1 # 2"),
    ],
)
def test_an_environment_file_is_read_as_systemd_reads_it(
    text: str, value: str, tmp_path: Path
) -> None:
    assert of_line(tmp_path, "EnvironmentFile=/f.env\nExecStart=k ${A}", f=text) == [value]


def test_environment_files_outdo_the_unit_and_the_later_the_earlier(tmp_path: Path) -> None:
    lines = "EnvironmentFile=-/[ab].env\nEnvironmentFile=-/no.env\nEnvironment=A=0 B=0 C=0\n"

    found = of_line(tmp_path, f"{lines}ExecStart=k $A $B $C", b="A=2\nB=2", a="A=1\nB=1\nA=1")

    assert found == ["2", "2", "0"]


def test_an_environment_file_that_has_to_be_there_is_told_if_it_is_not(tmp_path: Path) -> None:
    text = "[Service]\nEnvironmentFile=/etc/*/%p\nExecStart=k"
    unit = read_unit("kubelet.service", node(tmp_path, {f"{USR}/kubelet.service": text}))

    assert unit is not None
    assert unit.missing == ("/etc/*/kubelet",)


def test_each_character_of_a_word_knows_where_it_stands(tmp_path: Path) -> None:
    text = 'X=y\nA="--flag=\\\nvalue"\n'
    files: dict[str, str | bytes] = {
        f"{USR}/kubelet.service": "[Service]\nEnvironmentFile=/f.env\nExecStart=k $A",
        "/f.env": text,
    }

    unit = read_unit("kubelet.service", node(tmp_path, files))

    assert unit is not None
    word = unit.command[1]
    assert {cell.path for cell in word} == {"/f.env"}
    assert "".join(text[cell.start : cell.end] for cell in word) == "--flag=value"
