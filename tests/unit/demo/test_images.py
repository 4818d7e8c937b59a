"""An image layout that a runtime takes without a registry."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from demo.images import image_layout

NAMES = ("docker.io/local/pause:1", "docker.io/local/app:1")


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that lists one applet, and that the loader finds nothing to do for."""
    busybox = tmp_path / "busybox"
    busybox.write_text("#!/bin/sh\nprintf 'busybox\\nsh\\n'\n")
    busybox.chmod(0o755)
    return busybox


def files(tar: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as opened:
        found = {entry.name: opened.extractfile(entry) for entry in opened}
        return {name: file.read() for name, file in found.items() if file is not None}


def blob(layout: dict[str, bytes], descriptor: dict[str, Any]) -> bytes:
    content = layout[f"blobs/{descriptor['digest'].replace(':', '/')}"]
    assert hashlib.sha256(content).hexdigest() == descriptor["digest"].removeprefix("sha256:")
    assert len(content) == descriptor["size"]
    return content


def layer_of(program: Path) -> tarfile.TarFile:
    layout = files(image_layout(NAMES, program))
    index = json.loads(layout["index.json"])
    (descriptor,) = json.loads(blob(layout, index["manifests"][0]))["layers"]
    return tarfile.open(fileobj=io.BytesIO(blob(layout, descriptor)))


def test_every_name_is_in_the_index(program: Path) -> None:
    index = json.loads(files(image_layout(NAMES, program))["index.json"])

    named = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    assert tuple(named) == NAMES


def test_every_digest_and_size_is_true(program: Path) -> None:
    layout = files(image_layout(NAMES, program))

    for descriptor in json.loads(layout["index.json"])["manifests"]:
        manifest = json.loads(blob(layout, descriptor))
        config = json.loads(blob(layout, manifest["config"]))
        layers = [
            f"sha256:{hashlib.sha256(blob(layout, d)).hexdigest()}" for d in manifest["layers"]
        ]
        assert config["rootfs"]["diff_ids"] == layers


def test_the_layer_holds_busybox_and_a_link_for_each_applet(program: Path) -> None:
    with layer_of(program) as layer:
        assert layer.getmember("bin/busybox").mode == 0o755
        assert layer.getmember("bin/sh").linkname == "busybox"


def test_a_busybox_that_is_not_static_brings_its_libraries(tmp_path: Path) -> None:
    # Any dynamic program will do; `/bin/true --list` succeeds and lists nothing.
    dynamic = shutil.copy("/bin/true", tmp_path / "busybox")

    with layer_of(Path(dynamic)) as layer:
        names = [name.rpartition("/")[2] for name in layer.getnames()]

    assert any(name.startswith("libc.") for name in names)
    assert any(name.startswith("ld-") for name in names)
