from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.proc import nsfs
from nsledger.proc.nsfs import orphans

pytestmark = pytest.mark.root


@pytest.fixture
def leaked(tmp_path: Path) -> Iterator[Path]:
    """A network namespace whose process has ended, mounted with a blank in its name."""
    path = tmp_path / "cni leaked"
    path.write_bytes(b"")
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


def test_a_namespace_that_only_a_mount_keeps_is_found(leaked: Path) -> None:
    ino = leaked.stat().st_ino

    (found,) = [one for one in orphans().found if one.identity.ino == ino]

    assert found.type is NamespaceType.NET
    assert [holder.path for holder in found.holders] == [str(leaked)]


def test_a_namespace_that_only_a_descriptor_keeps_is_found() -> None:
    with subprocess.Popen(["unshare", "--uts", "sleep", "60"]) as process:
        while os.stat(f"/proc/{process.pid}/ns/uts").st_ino == os.stat("/proc/self/ns/uts").st_ino:
            pass
        held = os.open(f"/proc/{process.pid}/ns/uts", os.O_RDONLY)
        ino = os.fstat(held).st_ino
        before = [one for one in orphans().found if one.identity.ino == ino]
        process.kill()
    try:
        (found,) = [one for one in orphans().found if one.identity.ino == ino]
    finally:
        os.close(held)

    assert before == []
    assert [holder.path for holder in found.holders] == [f"/proc/{os.getpid()}/fd/{held}"]


def test_a_mounted_namespace_is_named_by_its_path(leaked: Path, tmp_path: Path) -> None:
    found = nsfs.identify(str(leaked))

    assert found is not None
    assert found[0] is NamespaceType.NET
    assert found[1].ino == leaked.stat().st_ino
    assert nsfs.identify(str(tmp_path)) is None
    assert nsfs.identify(str(tmp_path / "nowhere")) is None


def test_every_type_is_told_by_its_descriptor() -> None:
    for type_ in NamespaceType:
        found = nsfs.identify(f"/proc/self/ns/{type_}")
        assert found is not None
        assert found[0] is type_
