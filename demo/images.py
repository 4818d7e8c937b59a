"""Container images made on the spot, as OCI image layouts in a tar: no registry is needed.

They hold busybox and nothing else. Source: OCI image-spec `image-layout.md`, `config.md`.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
"""Of the kernel, and how Go and the image specification call them."""

_MEDIA_TYPE: Final = "application/vnd.oci.image."

_IDLE: Final = ("/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done")
"""An entrypoint that stays, and ends at once when asked to: as pid 1 it must ask for the signal."""


def image_layout(names: Iterable[str], busybox: Path) -> bytes:
    """A tar of an image layout: one image, with `busybox` for its programs, under each name."""
    blobs: dict[str, bytes] = {}
    layer = _descriptor(blobs, _layer(busybox), "layer.v1.tar")
    config = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {"Entrypoint": list(_IDLE), "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_MEDIA_TYPE}manifest.v1+json",
        "config": _descriptor(blobs, config, "config.v1+json"),
        "layers": [layer],
    }
    image = _descriptor(blobs, manifest, "manifest.v1+json")
    manifests = [{**image, "annotations": {"io.containerd.image.name": name}} for name in names]
    return _tar(
        {
            "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
            "index.json": _json({"schemaVersion": 2, "manifests": manifests}),
            **{f"blobs/{digest.replace(':', '/')}": blob for digest, blob in blobs.items()},
        }
    )


def _layer(busybox: Path) -> bytes:
    """The one layer: busybox, the libraries it needs if it is not static, and a link per applet."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for directory in ("bin", "etc", "proc", "sys", "dev", "tmp"):
            tar.addfile(_entry(directory, type_=tarfile.DIRTYPE))
        for source, target in {busybox: "bin/busybox", **_libraries(busybox)}.items():
            content = source.read_bytes()
            tar.addfile(_entry(target, size=len(content)), io.BytesIO(content))
        listed = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True)
        for applet in sorted(set(listed.stdout.split()) - {"busybox"}):
            tar.addfile(_entry(f"bin/{applet}", type_=tarfile.SYMTYPE, linkname="busybox"))
    return written.getvalue()


def _libraries(program: Path) -> dict[Path, str]:
    """The shared libraries of `program` and their places; none if it is static."""
    listed = subprocess.run(["ldd", program], check=False, capture_output=True, text=True)
    words = listed.stdout.split() if listed.returncode == 0 else []
    return {Path(word): word.lstrip("/") for word in words if word.startswith("/")}


def _entry(
    name: str, *, size: int = 0, type_: bytes = tarfile.REGTYPE, linkname: str = ""
) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname, entry.mode = size, type_, linkname, 0o755
    return entry


def _tar(files: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as tar:
        for name, content in files.items():
            tar.addfile(_entry(name, size=len(content)), io.BytesIO(content))
    return written.getvalue()


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def _descriptor(
    blobs: dict[str, bytes], content: bytes | dict[str, Any], media_type: str
) -> dict[str, Any]:
    """Add `content` to `blobs`, by digest, and return its descriptor."""
    blob = content if isinstance(content, bytes) else _json(content)
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    blobs[digest] = blob
    return {"mediaType": f"{_MEDIA_TYPE}{media_type}", "digest": digest, "size": len(blob)}
