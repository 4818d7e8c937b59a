from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.proc.namespaces import namespaces_behind, read_namespaces
from tests.processes import sleeping

OWN = read_namespaces(os.getpid())


def test_a_path_through_an_older_process_leads_to_its_namespace() -> None:
    path = f"/proc/{os.getpid()}/ns/net"

    found = namespaces_behind([path], joined_ticks=OWN.start_ticks)

    assert found == {path: OWN.namespaces[NamespaceType.NET]}


def test_a_path_through_a_younger_process_leads_nowhere() -> None:
    assert OWN.start_ticks is not None
    with sleeping() as younger:
        path = f"/proc/{younger.pid}/ns/net"

        assert namespaces_behind([path], joined_ticks=OWN.start_ticks - 1) == {}
        assert namespaces_behind([path], joined_ticks=None) == {}


def test_what_is_no_namespace_is_never_opened(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)  # to open it would wait for a writer
    file = tmp_path / "file"
    file.touch()
    others = [str(fifo), str(file), str(tmp_path / "nothing"), "", "new\0", "/proc/self/stat"]

    assert namespaces_behind(others, joined_ticks=OWN.start_ticks) == {}


@pytest.mark.root
def test_a_mounted_namespace_is_found_as_the_runtime_mounts_it(tmp_path: Path) -> None:
    mounted = tmp_path / "cni-1"
    mounted.touch()
    with sleeping("unshare --net") as owner:
        expected = read_namespaces(owner.pid).namespaces[NamespaceType.NET]
        source = f"/proc/{owner.pid}/ns/net"
        subprocess.run(["mount", "--bind", source, str(mounted)], check=True)
    try:
        found = namespaces_behind([str(mounted)], joined_ticks=None)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)

    assert found == {str(mounted): expected}
