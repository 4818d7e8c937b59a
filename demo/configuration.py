"""The files of a private node as an admin would have written them, before nsledger comes.

Everything that containerd keeps is inside the node's directory; what it keeps elsewhere whatever
the configuration says is hidden by `enter-node`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomlkit

from demo.installation import Installation

PAUSE_IMAGE: Final = "docker.io/local/pause:1"

_NEWEST_VERSION: Final = 3
"""Of the configuration. Newer containerds read it too."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One runtime handler of the node."""

    name: str
    binary: str = ""
    """The OCI runtime; empty for runc."""
    hooked: bool = True
    """Whether nsledger is to give it a base spec with the hook."""

    @property
    def table(self) -> dict[str, Any]:
        """Its entry in `containerd.runtimes`."""
        options = {"BinaryName": self.binary} if self.binary else {}
        return {"runtime_type": "io.containerd.runc.v2", "options": options}


RUNC: Final = Handler("runc")


def containerd_configuration(
    installation: Installation, directory: Path, *, snapshotter: str, handlers: tuple[Handler, ...]
) -> str:
    """The TOML text of the main file. It imports `conf.d`, where nsledger's drop-in goes."""
    default = installation.default_configuration()
    version = min(default["version"], _NEWEST_VERSION)
    runtimes = {handler.name: handler.table for handler in handlers}
    containerd = {"default_runtime_name": handlers[0].name, "runtimes": runtimes}
    # Without CAP_SYS_RESOURCE, as in many containers, no score can be lowered.
    runtime: dict[str, Any] = {"restrict_oom_score_adj": True, "containerd": containerd}
    cni: dict[str, Any] = {"conf_dir": str(directory / "cni")}
    plugins: dict[str, Any] = {
        # NRI would run the machine's own plugins; opt would make /opt/containerd.
        "io.containerd.nri.v1.nri": {"disable": True},
        "io.containerd.internal.v1.opt": {"path": str(directory / "opt")},
    }
    if version == 2:  # noqa: PLR2004 - the number is the name
        cni["bin_dir"] = installation.cni_plugins
        containerd["snapshotter"] = snapshotter
        plugins["io.containerd.grpc.v1.cri"] = {**runtime, "cni": cni, "sandbox_image": PAUSE_IMAGE}
    else:
        section = default["plugins"]["io.containerd.cri.v1.runtime"]
        if "bin_dirs" in section["cni"]:
            cni["bin_dirs"] = [installation.cni_plugins]
        else:
            cni["bin_dir"] = installation.cni_plugins
        plugins["io.containerd.cri.v1.runtime"] = {**runtime, "cni": cni}
        plugins["io.containerd.cri.v1.images"] = {
            "snapshotter": snapshotter,
            "pinned_images": {"sandbox": PAUSE_IMAGE},
        }
    return tomlkit.dumps(
        {
            "version": version,
            "root": str(directory / "root"),
            "state": str(directory / "state"),
            "imports": [str(directory / "conf.d/*.toml")],
            "grpc": {"address": str(directory / "containerd.sock")},
            "plugins": plugins,
        }
    )


def cni_configuration(directory: Path) -> str:
    """The JSON text of the pod network: a bridge that bears the directory's name.

    Without a gateway the host gets no address, no route and no forwarding, and the subnet is nobody
    else's business; without masquerading or port mappings no firewall rule is made. Pods reach each
    other, which is all that is needed.
    """
    bridge = {
        "type": "bridge",
        "bridge": directory.name,
        "isGateway": False,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "10.244.0.0/24"}]],
            "dataDir": str(directory / "ipam"),
        },
    }
    return json.dumps({"cniVersion": "0.4.0", "name": directory.name, "plugins": [bridge]})
