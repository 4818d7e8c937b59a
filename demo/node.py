"""A private node: a containerd of its own in a temporary directory, that leaves nothing behind.

    with PrivateNode(Installation.of_this_machine()) as node:
        node.start(hook)
        with Client(node.socket) as client:
            node.kubelet(client).run(Pod(name="web"))

What it needs of the machine it takes for itself: a mount namespace (`enter-node`), a bridge, a
cgroup and a directory, the last three under one name. `keeper.py` holds them and gives them back,
whatever becomes of this process. A containerd that the machine runs is not touched.

The host's other namespaces are shared on purpose: pids are the host's, and a pod in the host's
network is in the real one. So whoever reads /proc on the host sees what a real node's daemon sees.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import grpc

from demo.configuration import (
    PAUSE_IMAGE,
    RUNC,
    Handler,
    cni_configuration,
    containerd_configuration,
)
from demo.cri import Client
from demo.images import image_layout
from demo.installation import Installation, program_path
from demo.kept import Kept, is_alive
from demo.pods import APP_IMAGE, Kubelet
from nsledger.errors import NsledgerError
from nsledger.node import base_runtime_spec
from nsledger.node.base_runtime_spec import OciHook
from nsledger.node.containerd import Configuration
from nsledger.node.containerd_files import loaded
from nsledger.node.containerd_plan import Containerd, changed_files
from nsledger.node.root import Host

_ENTER_NODE: Final = Path(__file__).with_name("enter-node")
_LIMIT_S: Final = 30.0
"""For each step; all of them together take one or two seconds."""


class NodeFailedError(NsledgerError):
    """The private node did not get where it should."""

    def __init__(self, *, wanted: str, log: str) -> None:
        super().__init__(f"the private node did not get to {wanted}:\n{log}")
        self.wanted = wanted


class PrivateNode:
    """The node, from `__enter__` to `__exit__`; `start` gives it a containerd."""

    def __init__(
        self, installation: Installation, *, handlers: tuple[Handler, ...] = (RUNC,)
    ) -> None:
        self.installation = installation
        self.handlers = handlers
        # Short, because the path of a Unix socket has at most 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="nsl-", dir="/var/tmp"))
        # A pod's root may be anybody on the host, and reaches its root file system by this path.
        self.directory.chmod(0o711)
        self.socket = str(self.directory / "containerd.sock")
        self.log = self.directory / "containerd.log"
        self.containerd_pid = 0
        self.changed: dict[Path, bytes | None] = {}
        """What nsledger wrote over in containerd's configuration."""
        self._kept = Kept(self.directory)
        self._anchor = 0

    def __enter__(self) -> Self:
        tree = [str(self.installation.tree)] if self.installation.tree else []
        unshare = ["unshare", "--mount", "--propagation", "private"]
        try:
            self._anchor = self._kept.start(
                [*unshare, str(_ENTER_NODE), str(self.directory), *tree], log=self.log
            )
            self._wait("its mounts", self._anchor, (self.directory / "mounted").exists)
        except BaseException:
            self._kept.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._kept.release()

    @property
    def name(self) -> str:
        """What the directory, the bridge and the cgroup are called."""
        return self.directory.name

    @property
    def configuration(self) -> Path:
        """The main configuration file of containerd."""
        return self.directory / "config.toml"

    @property
    def base_runtime_spec(self) -> Path:
        """The base spec that nsledger generates."""
        return self.directory / "base-runtime-spec.json"

    @property
    def host(self) -> Host:
        """The node as an installation sees it: its files, and how its programs are started."""
        return Host(root=f"/proc/{self._anchor}/root", enter=tuple(self._inside()))

    def start(self, hook: OciHook | None) -> None:
        """Configure the node, with `hook` in every container start, and start containerd.

        Raises:
            NodeFailedError: with the end of containerd's log.
        """
        snapshotter = "overlayfs" if self._can_overlay() else "native"
        main = containerd_configuration(
            self.installation, self.directory, snapshotter=snapshotter, handlers=self.handlers
        )
        self._write(self.configuration, main)
        self._write(self.directory / "cni/10-bridge.conflist", cni_configuration(self.directory))
        if hook is not None:
            self._add(hook)
        self.start_containerd()
        self._import_images(snapshotter)

    def start_containerd(self) -> None:
        """Start containerd, and wait until it takes pods."""
        Path(self.socket).unlink(missing_ok=True)
        containerd = [self.installation.containerd, "--config", str(self.configuration)]
        self.containerd_pid = pid = self._kept.start(self._inside(*containerd), log=self.log)
        self._wait("containerd's socket", pid, Path(self.socket).exists)
        with Client(self.socket) as client:
            self._wait("taking pods", pid, lambda: _takes_pods(client))

    def stop_containerd(self) -> None:
        """Stop containerd alone, as a restart of its service does; its pods go on."""
        os.kill(self.containerd_pid, signal.SIGTERM)
        self._wait("containerd's end", self._anchor, lambda: not is_alive(self.containerd_pid))

    def run(self, *command: str) -> str:
        """What `command` prints, run in the node's mount namespace.

        Raises:
            NodeFailedError: it did not exit 0.
        """
        done = subprocess.run(
            ["setpriv", "--pdeathsig", "KILL", *self._inside(*command)],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PATH": program_path()},
        )
        if done.returncode:
            raise NodeFailedError(wanted=" ".join(command), log=done.stderr)
        return done.stdout

    def versions(self) -> str:
        """Which containerd and runc it runs, in their own words."""
        containerd = self.run(self.installation.containerd, "--version").split()
        runc = self.run("runc", "--version").split()
        return f"containerd {containerd[2]}, runc {runc[2]}"

    def effective_configuration(self) -> str:
        """What `containerd config dump` prints."""
        return self.run(
            self.installation.containerd, "--config", str(self.configuration), "config", "dump"
        )

    def kubelet(self, client: Client) -> Kubelet:
        """A kubelet of this node, that speaks through `client`."""
        return Kubelet(client, cgroup_parent=f"/{self.name}")

    def _add(self, hook: OciHook) -> None:
        """What nsledger does to a containerd: a base spec with the hook, and who starts from it."""
        default = self.run(self.installation.ctr, "oci", "spec").encode()
        self._write(self.base_runtime_spec, base_runtime_spec.from_default(default, hook))
        main = str(self.configuration)
        found = Containerd(
            main=main,
            files=loaded(main, Host().read, Host().names),
            configuration=Configuration.parse(self.effective_configuration()),
        )
        hooked = [handler.name for handler in self.handlers if handler.hooked]
        specs = dict.fromkeys(hooked, str(self.base_runtime_spec))
        for path, text in changed_files(found, specs).items():
            self.changed[Path(path)] = Host().read(path)
            self._write(Path(path), text)

    def _can_overlay(self) -> bool:
        """Whether the overlay file system takes the node's directory; it takes no other overlay."""
        probe = self.directory / "probe"
        for name in ("lower", "upper", "work", "merged"):
            (probe / name).mkdir(parents=True)
        layers = f"lowerdir={probe}/lower,upperdir={probe}/upper,workdir={probe}/work"
        try:
            self.run("mount", "-t", "overlay", "-o", layers, "overlay", f"{probe}/merged")
        except NodeFailedError:
            return False
        self.run("umount", f"{probe}/merged")
        return True

    def _import_images(self, snapshotter: str) -> None:
        images = (PAUSE_IMAGE, APP_IMAGE)
        layout = self.directory / "images.tar"
        layout.write_bytes(image_layout(images, self.installation.busybox))
        ctr = [self.installation.ctr, "--address", self.socket, "--namespace", "k8s.io"]
        self.run(*ctr, "images", "import", "--snapshotter", snapshotter, str(layout))
        with Client(self.socket) as client:
            # CRI hears of an import by an event.
            self._wait(
                "having its images",
                self.containerd_pid,
                lambda: all(_has_image(client, image) for image in images),
            )

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--mount=/proc/{self._anchor}/ns/mnt", "--", *command]

    def _write(self, path: Path, content: str | bytes) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def _wait(self, wanted: str, pid: int, reached: Callable[[], bool]) -> None:
        """Wait until `reached`, for as long as process `pid` lives."""
        deadline = time.monotonic() + _LIMIT_S
        while not reached():
            if time.monotonic() > deadline or not is_alive(pid):
                log = self.log.read_text(errors="replace") if self.log.exists() else "no log"
                raise NodeFailedError(wanted=wanted, log="\n".join(log.splitlines()[-15:]))
            time.sleep(0.02)


def _takes_pods(client: Client) -> bool:
    try:
        conditions = client.call("Status").status.conditions
    except grpc.RpcError:
        return False
    ready = {condition.type for condition in conditions if condition.status}
    return {"RuntimeReady", "NetworkReady"} <= ready


def _has_image(client: Client, name: str) -> bool:
    return bool(client.call("ImageStatus", image={"image": name}).image.id)
