from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nsledger.proc.filesystems import filesystem_of


@pytest.mark.parametrize("path", ["/dev/shm", "/proc", "/"])
def test_the_kind_is_the_one_that_stat_tells(path: str) -> None:
    told = subprocess.run(
        ["stat", "-f", "-c", "%T", path], check=True, capture_output=True, text=True
    ).stdout.strip()

    assert filesystem_of(path) in told.split("/") or told == "ext2/ext3"


def test_a_path_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        filesystem_of(str(tmp_path / "nowhere"))
