"""What there is on a node, read once, before anything is planned."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.model.endpoint import is_same_socket
from nsledger.node import containerd_files, crio, kubelet, kubelet_process
from nsledger.node import manifest as manifests
from nsledger.node.base_specs import DEFAULT_SPEC, OUR_SPECS
from nsledger.node.containerd import Configuration
from nsledger.node.containerd_plan import Containerd, admins_base_spec
from nsledger.node.crio import Crio
from nsledger.node.hook_files import INTERPRETER, ISOLATED
from nsledger.node.kubelet import Kubelet
from nsledger.node.located import SYSTEMD_RUNS, Located, located
from nsledger.node.manifest import Manifest
from nsledger.node.root import Done, Host
from nsledger.node.settings import Settings

_SYSTEMCTL: Final = "/usr/bin/systemctl"
_HOOK_NEEDS: Final = "import json, sys; sys.exit(sys.version_info < (3, 9))"


class RuntimeNotFoundError(NsledgerError):
    """No container runtime that nsledger can be put in front of."""

    hint = "Install on a node with containerd (or CRI-O), or name it with --containerd."

    def __init__(self) -> None:
        super().__init__("found neither containerd nor CRI-O on this node")


class RuntimeRefusedError(NsledgerError):
    """A program of the runtime did not answer."""

    def __init__(self, done: Done) -> None:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        super().__init__(f"{' '.join(done.argv)}: exit code {done.code}: {last[0]}")
        self.argv, self.code = done.argv, done.code


class InterpreterError(NsledgerError):
    """The hook cannot run on this node."""

    hint = "On Debian or Ubuntu: apt-get install python3 (python3-minimal has no json)."

    def __init__(self) -> None:
        super().__init__(f"found no {INTERPRETER} of 3.9 or newer with the json module")


class BaseSpecMissingError(NsledgerError):
    """A handler names a base spec that is not there: containerd cannot start with it either."""

    def __init__(self, *, handler: str, path: str) -> None:
        super().__init__(f"{path}: found no such file; the handler {handler} has it as base spec")
        self.handler, self.path = handler, path


@dataclass(frozen=True, slots=True)
class Survey:
    """The node before the installation."""

    runtime: Located
    """Which runtime the kubelet uses, and by which file."""
    containerd: Containerd | None
    """None where the runtime is CRI-O."""
    crio: Crio | None
    """None where it is containerd."""
    dump: str
    """What containerd says is in force; empty for CRI-O."""
    specs: Mapping[str, bytes]
    """The base specs to start from, by path; the runtime's own default by the empty one."""
    spec_of: Mapping[str, str]
    """Of each handler the base spec that it has without us; empty for the default."""
    kubelet: Kubelet | NsledgerError
    """What the kubelet is told and where, or why that is not known."""
    systemd_runs: bool
    """Whether services can be restarted; in an image they can be enabled at most."""
    has_systemctl: bool
    manifest: Manifest | None


def survey(
    host: Host, *, containerd: str, configuration: str, endpoint: str, needs_runtime: bool = True
) -> Survey:
    """Look at the node.

    Args:
        host: the node.
        containerd: the program, by name or path.
        configuration: path of its main file, which need not exist; empty for the one in force.
        endpoint: what the kubelet is to be told; errors name it.
        needs_runtime: whether the plan will touch the runtime's configuration.

    Raises:
        RuntimeNotFoundError: there is no runtime.
        RuntimeRefusedError: it does not answer.
        NsledgerError: its configuration cannot be used; the classes of `containerd` and
            `containerd_files` say why.
    """
    manifest = manifests.load(host)
    told = _kubelet(host, endpoint)
    runtime = located(
        host, program=containerd, main=configuration, endpoint=runtime_endpoint(host, told)
    )
    found, found_crio, dump = None, None, ""
    specs: dict[str, bytes] = {}
    spec_of: dict[str, str] = {}
    if needs_runtime:
        require_interpreter(host)
        if not runtime.found:
            raise RuntimeNotFoundError
        if runtime.is_crio:
            found_crio = crio.look(host)
        else:
            found, dump = look_at_containerd(host, runtime.program, runtime.main)
            ours = known_specs(host, manifest)
            for handler in found.handlers:
                path = admins_base_spec(found, handler, ours)
                spec_of[handler.name] = path
                specs[path] = base_spec(host, runtime.program, handler.name, path)
    return Survey(
        runtime=runtime,
        containerd=found,
        crio=found_crio,
        dump=dump,
        specs=specs,
        spec_of=spec_of,
        kubelet=told,
        systemd_runs=host.is_this_machine and host.exists(SYSTEMD_RUNS),
        has_systemctl=host.exists(_SYSTEMCTL),
        manifest=manifest,
    )


def runtime_endpoint(host: Host, told: Kubelet | NsledgerError) -> str | None:
    """What the kubelet calls, or called before nsledger; None where that is not known."""
    if isinstance(told, NsledgerError) or told.endpoint is None:
        return None
    settings = Settings.of(host)
    return settings.upstream if is_same_socket(told.endpoint, settings.listen) else told.endpoint


def look_at_containerd(host: Host, program: str, main: str) -> tuple[Containerd, str]:
    """The node's containerd, and what it says is in force.

    Raises:
        NsledgerError: as `survey`.
    """
    files = containerd_files.loaded(host.resolve(main), host.read, host.names)
    dump = effective_configuration(host, program, main)
    configuration = Configuration.parse(dump)
    return Containerd(main=main, files=files, configuration=configuration), dump


def effective_configuration(host: Host, program: str, main: str) -> str:
    """What `containerd config dump` prints, or `config default` where there is no file.

    Raises:
        RuntimeRefusedError: it does not answer.
    """
    if host.exists(main):
        return _answer(host, program, "--config", main, "config", "dump")
    return _answer(host, program, "config", "default")


def known_specs(host: Host, manifest: Manifest | None) -> dict[str, str]:
    """Our base specs and what each was made from, also where the manifest is lost."""
    left = dict.fromkeys(host.glob(OUR_SPECS), "")
    return {DEFAULT_SPEC: "", **left, **(manifest.sources if manifest else {})}


def base_spec(host: Host, containerd: str, handler: str, path: str) -> bytes:
    """The base spec at `path`, which `handler` has; for the empty path the runtime's default.

    Raises:
        BaseSpecMissingError: it is not there.
        RuntimeRefusedError: the runtime does not tell its default.
    """
    if not path:
        ctr = f"{containerd.removesuffix('containerd')}ctr"
        return _answer(host, ctr, "oci", "spec").encode()
    spec = host.read(path)
    if spec is None:
        raise BaseSpecMissingError(handler=handler, path=path)
    return spec


def _answer(host: Host, *argv: str) -> str:
    done = host.run(*argv)
    if done.code:
        raise RuntimeRefusedError(done)
    return done.stdout


def require_interpreter(host: Host) -> None:
    """Nothing, if the hook's interpreter can run it.

    Raises:
        InterpreterError: it cannot.
    """
    try:
        done = host.run(INTERPRETER, *ISOLATED, "-c", _HOOK_NEEDS)
    except (OSError, subprocess.SubprocessError):
        raise InterpreterError from None
    if done.code:
        raise InterpreterError


def _kubelet(host: Host, endpoint: str) -> Kubelet | NsledgerError:
    try:
        return kubelet.read(host, endpoint=endpoint, running=kubelet_process.argv(host))
    except NsledgerError as error:
        return error
