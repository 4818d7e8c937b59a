"""A whole machine in an emulator: power on, commands, reboot, power cut.

It has its own copy of the disk that `tools/virtual-node` made, and no network. Commands go to the
agent (`guest/agent.py`) over a virtio-serial port; what it says on its console is kept, and the end
of it is in each error. Software emulation (tcg) needs nothing of the processor or its kernel.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

PROGRAM: Final = "qemu-system-x86_64"
MACHINE_FILES: Final = ("disk.img", "vmlinuz", "initrd.img")

_BOOT_LIMIT_S: Final = 300.0
"""An idle machine of two processors takes about 40 s."""
_CALL_LIMIT_S: Final = 120.0
_CONSOLE_LINES: Final = 40


class MachineFailedError(Exception):
    """The machine did not do what it should; the message ends with its console."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a command on the machine ended."""

    code: int | None
    """None if it was killed at its limit."""
    stdout: str
    stderr: str


class Machine:
    """The machine, off until `power_on`; whatever becomes of the test, it ends with `__exit__`."""

    def __init__(self, made: Path, directory: Path, brought: Path) -> None:
        """Of what `tools/virtual-node` made, with the tar that becomes its /opt/brought."""
        self.directory = directory
        self.console = directory / "console.log"
        self.started = directory / "started.log"
        """What the machine writes to its port nsledger.started; a power cut does not reach it."""
        self._made = made
        self._brought = brought
        self._disk = directory / "disk.img"
        self._qemu: subprocess.Popen[bytes] | None = None
        self._wire: socket.socket | None = None
        self._kept = b""
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        # Holes stay holes, and where the file system can, no block is copied.
        copy = ["cp", "--sparse=always", "--reflink=auto"]
        subprocess.run([*copy, self._made / "disk.img", self._disk], check=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut_power()
        self._disk.unlink(missing_ok=True)

    def power_on(self) -> None:
        """Start the machine, and wait until its agent answers.

        Raises:
            MachineFailedError: it does not come up.
        """
        path = self.directory / "agent.sock"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
            listening.listen(1)
            listening.settimeout(10)
            with (self.directory / "qemu.log").open("ab") as log:
                self._qemu = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", PROGRAM, *self._arguments(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            try:
                self._wire, _ = listening.accept()
            except TimeoutError:
                raise self._failed("the emulator starts") from None
        self._kept = b""
        self._wait_until_up()

    def cut_power(self) -> None:
        """As when the plug is pulled: nothing in the machine gets to do anything."""
        if self._qemu is not None:
            self._qemu.send_signal(signal.SIGKILL)
            self._qemu.wait()
            self._qemu = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def reboot(self) -> None:
        """Have it shut down in order, and wait until it is up again.

        Raises:
            MachineFailedError: it does not come up.
        """
        before = self.boot_id()
        self.run("systemctl", "reboot")
        self._wait_until_up(before)

    def boot_id(self) -> str:
        """Which boot this is."""
        return self.run("cat", "/proc/sys/kernel/random/boot_id").strip()

    def run(self, *argv: str, given: str = "", limit_s: float = _CALL_LIMIT_S) -> str:
        """What the command `argv` prints on the machine.

        Raises:
            MachineFailedError: it did not exit 0; with what it said.
        """
        done = self.attempt(*argv, given=given, limit_s=limit_s)
        if done.code != 0:
            said = f"{done.stdout[-2000:]}{done.stderr[-2000:]}"
            raise self._failed(f"{' '.join(argv)} exits 0 (not {done.code}):\n{said}")
        return done.stdout

    def attempt(self, *argv: str, given: str = "", limit_s: float = _CALL_LIMIT_S) -> Done:
        """How the command `argv` ends on the machine.

        Raises:
            MachineFailedError: the machine does not answer.
        """
        answer = self._ask({"argv": argv, "input": given, "limit_s": limit_s}, limit_s + 30)
        if answer is None:
            raise self._failed(f"an answer about {' '.join(argv)}")
        return Done(answer["code"], answer["stdout"], answer["stderr"])

    def wait_for(
        self, wanted: str, reached: Callable[[], bool], *, limit_s: float = _CALL_LIMIT_S
    ) -> float:
        """Wait until `reached`; the seconds that it took.

        Raises:
            MachineFailedError: it was not within the limit.
        """
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > limit_s:
                raise self._failed(wanted)
            time.sleep(0.2)
        return time.monotonic() - began

    def _wait_until_up(self, before: str = "") -> None:
        deadline = time.monotonic() + _BOOT_LIMIT_S
        question = {"argv": ["cat", "/proc/sys/kernel/random/boot_id"], "input": "", "limit_s": 5}
        while time.monotonic() < deadline and self._runs:
            answer = self._ask(question, 2)
            if answer is not None and answer["stdout"].strip() != before:
                return
            time.sleep(0.2)
        raise self._failed("the machine comes up")

    @property
    def _runs(self) -> bool:
        return self._qemu is not None and self._qemu.poll() is None

    def _ask(self, question: dict[str, Any], limit_s: float) -> dict[str, Any] | None:
        """The agent's answer; None if none comes. Answers to older questions are passed over."""
        if self._wire is None:
            raise self._failed("the machine is on")
        asked = next(self._ids)
        self._wire.sendall(json.dumps({"id": asked, **question}).encode() + b"\n")
        deadline = time.monotonic() + limit_s
        while (left := deadline - time.monotonic()) > 0:
            self._wire.settimeout(left)
            with contextlib.suppress(TimeoutError):
                read = self._wire.recv(1 << 20)
                if not read:
                    return None
                *lines, self._kept = (self._kept + read).split(b"\n")
                for line in lines:
                    # The rest of an answer that a reboot cut off is no JSON.
                    with contextlib.suppress(json.JSONDecodeError):
                        answer: dict[str, Any] = json.loads(line)
                        if answer["id"] == asked:
                            return answer
        return None

    def _failed(self, wanted: str) -> MachineFailedError:
        said = [f"wanted: {wanted}"]
        for log in (self.directory / "qemu.log", self.console):
            if log.exists():
                lines = log.read_text(errors="replace").splitlines()
                end = [line for line in lines if line.strip()][-_CONSOLE_LINES:]
                said += [f"--- the end of {log.name}", *end]
        return MachineFailedError("\n".join(said))

    def _arguments(self, agent: Path) -> list[str]:
        # The journal goes to the console, so that the daemon's own words are in each failure; the
        # kernel's of each bridge port that comes and goes are not.
        kernel = (
            "root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off loglevel=4 "
            "systemd.log_color=0 systemd.journald.forward_to_console=1"
        )
        return [
            *("-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048"),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-kernel", str(self._made / "vmlinuz"), "-initrd", str(self._made / "initrd.img")),
            *("-append", kernel),
            # What the machine has written is the host's when the emulator is killed, synced or not.
            *("-drive", f"file={self._disk},if=virtio,format=raw,cache=unsafe"),
            *("-drive", f"file={self._brought},if=virtio,format=raw,readonly=on"),
            *("-chardev", f"file,id=console,path={self.console},append=on"),
            *("-serial", "chardev:console"),
            *("-device", "virtio-rng-pci", "-device", "virtio-serial-pci"),
            *("-chardev", f"socket,id=agent,path={agent}"),
            *("-device", "virtserialport,chardev=agent,name=nsledger.agent"),
            *("-chardev", f"file,id=started,path={self.started},append=on"),
            *("-device", "virtserialport,chardev=started,name=nsledger.started"),
        ]
