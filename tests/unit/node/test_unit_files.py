"""Of a service's files only what is in force counts, as systemd reads them."""

from __future__ import annotations

import fnmatch
import posixpath

from nsledger.node.unit_files import Setting, read_unit

ETC, USR = "/etc/systemd/system", "/usr/lib/systemd/system"


def settings(files: dict[str, str]) -> list[tuple[str, str]]:
    def read(path: str) -> bytes | None:
        return files[path].encode() if path in files else None

    def glob(pattern: str) -> list[str]:
        # `*` of fnmatch crosses slashes; a directory's names do not.
        return sorted(
            path
            for path in files
            if fnmatch.fnmatch(path, pattern)
            and posixpath.dirname(path) == posixpath.dirname(pattern)
        )

    unit = read_unit("kubelet.service", read, glob)
    return [] if unit is None else [(one.path, one.text) for one in unit.settings]


def test_no_file_is_no_service() -> None:
    assert read_unit("kubelet.service", lambda _: None, lambda _: []) is None


def test_an_empty_command_line_takes_back_the_ones_before() -> None:
    files = {
        f"{USR}/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet --old\n",
        f"{USR}/kubelet.service.d/10.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet\n",
    }

    assert settings(files) == [(f"{USR}/kubelet.service.d/10.conf", "/usr/bin/kubelet")]


def test_the_admins_file_hides_the_packages_of_the_same_name() -> None:
    files = {
        f"{USR}/kubelet.service": "ExecStart=usr",
        f"{ETC}/kubelet.service": "ExecStart=etc",
        f"{USR}/kubelet.service.d/10.conf": "Environment=usr",
        f"{ETC}/kubelet.service.d/10.conf": "Environment=etc",
        f"{USR}/kubelet.service.d/20.conf": "Environment=second",
    }

    assert [text for _, text in settings(files)] == ["etc", "etc", "second"]


def test_continued_lines_are_one_and_comments_are_none() -> None:
    text = (
        "ExecStart=/usr/bin/kubelet \\\n  --a \\\n  --b\n#ExecStart=/bin/no\n; ExecStart=/bin/no\n"
    )

    (setting,) = settings({f"{USR}/kubelet.service": text})

    assert setting[1].split() == ["/usr/bin/kubelet", "--a", "--b"]


def test_environment_files_are_read_where_they_are_there() -> None:
    files = {
        f"{USR}/kubelet.service": (
            "EnvironmentFile=-/flags.env\nEnvironmentFile=-/none.env\nExecStart=kubelet $A"
        ),
        "/flags.env": "A=--v=2\n",
    }

    assert settings(files) == [
        (f"{USR}/kubelet.service", "kubelet $A"),
        ("/flags.env", "A=--v=2\n"),
    ]


def test_a_setting_says_whether_it_is_a_unit() -> None:
    files = {f"{USR}/k.service": b"ExecStart=k\nEnvironmentFile=/flags.env", "/flags.env": b"A=1"}

    unit = read_unit("k.service", files.get, lambda _: [])

    assert unit is not None
    assert unit.settings == (
        Setting(f"{USR}/k.service", "k", is_unit=True),
        Setting("/flags.env", "A=1", is_unit=False),
    )
