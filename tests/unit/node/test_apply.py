"""The order in which a node is changed, and that every way out leaves it as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsledger.node import manifest as manifests
from nsledger.node import removal
from nsledger.node.apply import CommandFailedError, Unproved, apply
from nsledger.node.changes import Command, FileChange, Part, Phase, Plan
from nsledger.node.root import Content, Host


class Told(list[str]):
    """What an application says of itself."""

    @property
    def steps(self) -> list[str]:
        return [line for line in self if not line.startswith("it failed; taking")]


def content(text: str, mode: int = 0o644) -> Content:
    return Content(text.encode(), mode, os.getuid(), os.getgid())


def command(*argv: str) -> Command:
    return Command(argv, "because")


def phase(part: Part, path: str, before: Content | None, *commands: Command) -> Phase:
    return Phase(
        part=part,
        files=(FileChange(path, before, content(f"ours: {part}\n")),),
        commands=commands,
        undo_before=(command("true", "before", part),),
        undo_after=(command("true", "after", part),),
    )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/containerd.toml").write_text("theirs\n")
    return Host(root=str(tmp_path))


def two_phases(*last: Command) -> Plan:
    return Plan(
        (
            phase(Part.HOOK, "/var/lib/nsledger/hook/hook.py", None, command("true", "compile")),
            phase(Part.CONTAINERD, "/etc/containerd.toml", content("theirs\n"), *last),
        )
    )


def files(host: Host) -> dict[str, str]:
    found = Path(host.root).rglob("*")
    return {str(one.relative_to(host.root)): one.read_text() for one in found if one.is_file()}


def test_files_come_before_commands_and_the_way_back_before_both(host: Host) -> None:
    told = Told()

    apply(
        host, two_phases(command("true", "restart")), version="1", proof=Unproved(), say=told.append
    )

    assert told == [
        "wrote /var/lib/nsledger/hook/hook.py",
        "running true compile",
        "wrote /etc/containerd.toml",
        "running true restart",
    ]
    assert files(host)["etc/containerd.toml"] == "ours: containerd\n"


def test_a_command_that_fails_takes_back_everything_the_last_first(host: Host) -> None:
    before, told = files(host), Told()

    with pytest.raises(CommandFailedError) as caught:
        apply(host, two_phases(command("false")), version="1", proof=Unproved(), say=told.append)

    assert caught.value.argv == ("false",)
    assert files(host) == before
    assert not Path(host.root, "var").exists()
    assert told.steps[4:] == [
        "running true before containerd",
        "restored /etc/containerd.toml",
        "running true after containerd",
        "running true before hook",
        "removed /var/lib/nsledger/hook/hook.py",
        "running true after hook",
    ]


def test_what_was_not_restarted_for_ours_is_not_restarted_for_theirs(host: Host) -> None:
    class Refuses(Unproved):
        def written(self, part: Part) -> None:
            if part is Part.CONTAINERD:
                raise CommandFailedError(("dump",), code=1, stderr="")

    told = Told()

    with pytest.raises(CommandFailedError):
        apply(host, two_phases(), version="1", proof=Refuses(), say=told.append)

    assert "running true after containerd" not in told
    assert files(host)["etc/containerd.toml"] == "theirs\n"


def test_a_failure_on_the_way_back_does_not_end_it(host: Host) -> None:
    plan = two_phases(command("false"))
    broken = Phase(
        part=Part.SHIM,
        files=(),
        commands=(command("true"),),
        undo_before=(command("/no/such/program"),),
        undo_after=(command("false", "too"),),
    )
    told = Told()

    with pytest.raises(CommandFailedError):
        apply(
            host,
            Plan((plan.phases[0], broken, plan.phases[1])),
            version="1",
            proof=Unproved(),
            say=told.append,
        )

    assert sum(line.startswith("it failed, going on") for line in told) == 2
    assert "removed /var/lib/nsledger/hook/hook.py" in told


def test_an_upgrade_that_fails_leaves_the_installation_before_it(host: Host) -> None:
    apply(host, two_phases(), version="1", proof=Unproved(), say=lambda _: None)
    installed = files(host)
    newer = FileChange("/etc/containerd.toml", content("ours: containerd\n"), content("newer\n"))

    with pytest.raises(CommandFailedError):
        apply(
            host,
            Plan((Phase(Part.CONTAINERD, (newer,), (command("false"),)),)),
            version="2",
            proof=Unproved(),
            say=lambda _: None,
        )

    assert files(host) == installed


def uninstall(host: Host) -> list[str]:
    told: list[str] = []
    kept = manifests.load(host)
    assert kept is not None
    taken = removal.prepared(host, kept)
    assert removal.remove(host, taken, release=removal.Released(), say=told.append)
    return told


def test_an_uninstallation_puts_the_configuration_back_before_it_removes_the_hook(
    host: Host,
) -> None:
    before = files(host)
    apply(host, two_phases(), version="1", proof=Unproved(), say=lambda _: None)

    told = uninstall(host)

    assert told.index("running true after containerd") < told.index("running true before hook")
    assert files(host) == before
    assert not Path(host.root, "var").exists()


@pytest.mark.parametrize("step", range(4))
def test_an_installer_that_is_killed_leaves_the_way_back_on_disk(host: Host, step: int) -> None:
    """As SIGKILL does: nothing of ours runs any more, so nothing is taken back."""
    before = files(host)
    child = os.fork()
    if child == 0:
        told: list[str] = []

        def say(what: str) -> None:
            told.append(what)
            if len(told) > step:
                os._exit(9)

        apply(host, two_phases(command("true")), version="1", proof=Unproved(), say=say)
    _, status = os.waitpid(child, 0)

    uninstall(host)

    assert os.waitstatus_to_exitcode(status) == 9
    assert files(host) == before


def test_what_an_admin_edited_of_ours_is_refused_before_anything_is_touched(host: Host) -> None:
    apply(host, two_phases(), version="1", proof=Unproved(), say=lambda _: None)
    Path(host.root, "etc/containerd.toml").write_text("ours: containerd\nours: containerd\n")
    edited = files(host)
    kept = manifests.load(host)
    assert kept is not None

    with pytest.raises(Exception, match="edited since"):
        removal.prepared(host, kept)

    assert files(host) == edited


def test_a_bypass_puts_the_files_back_and_remembers_the_installation(host: Host) -> None:
    plan = Plan((phase(Part.KUBELET, "/etc/containerd.toml", content("theirs\n")),))
    apply(host, plan, version="1", proof=Unproved(), say=lambda _: None)
    kept = manifests.load(host)
    assert kept is not None
    part = kept.part(Part.KUBELET)
    assert part is not None

    taken = removal.prepared(host, kept, only_kubelet=True)
    removal.bypass(host, taken, release=removal.Released(), say=lambda _: None)

    after = manifests.load(host)
    assert after is not None
    assert after.bypassed
    assert after.part(Part.KUBELET) == part
    assert files(host)["etc/containerd.toml"] == "theirs\n"
    apply(host, plan, version="1", proof=Unproved(), say=lambda _: None)
    again = manifests.load(host)
    assert again is not None
    assert not again.bypassed
