"""Writes docs/sharing-rules.md from the rules themselves, by putting pods before them.

The pods come from the tests' model of a conforming node, the judgements from `nsledger.domain`; so
the page says what the code does. `python -m tools.sharing_rules` prints it, `--write` writes it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec.structs import replace as replace_field

from nsledger.model.judgement import Judgement, Rule
from nsledger.model.namespaces import (
    INHERITED,
    NEW,
    NO_PROCESS,
    AssignedNamespaces,
    NamespaceIdentity,
    NamespaceReading,
    NamespaceType,
)
from nsledger.rules.judgement import judge_container, judge_sandbox
from tests.property.conforming_node import Container, ContainerSpec, Node, Pod, PodSpec, Tamper

PAGE = Path(__file__).resolve().parent.parent / "docs" / "sharing-rules.md"

INTRODUCTION = """\
# Who shares what, and how it is judged

<!-- Made by `python -m tools.sharing_rules --write` from the rules; a test holds it current. -->

For each container and each type of Linux namespace nsledger compares three layers: what CRI
*requested*, what the runtime's OCI spec *assigned*, and what the process *actually* has. The tables
below are those three on a node where everybody does as asked (containerd's rules, cgroup v2 unless
said otherwise), and what nsledger says of them.

* **requested** is CRI's mode. `-` is a message that is not there: nothing was asked. CRI has no
  field at all for cgroup, mnt, time and uts.
* **assigned**: `new` makes a namespace, `inherited` keeps the runtime's (the host's), a path joins
  that one. P is the pid of the sandbox process, T that of the target container.
* **sharing** is the kernel's word alone: `host`, `pod` (the sandbox's), `container:NAME` (a
  sibling's), `private`, or `unknown` if too little was read. The widest wins.
* **verdict**: `match`, `mismatch`, `not_requested` (CRI asked nothing, and the process has what the
  spec says), or `unobservable` (with the reason).

Nobody asks for **uts**: containerd gives a sandbox a new one unless the pod has `hostNetwork`, and
its containers join the sandbox's. nsledger makes no request of that: it is `not_requested`, and a
mismatch only if a process has another one than its spec says. So it is with cgroup, mnt and time.

Init containers, the attempts of a restarted one and the containers of a restored pod (RestorePod)
are judged like any other; a sibling that has ended shares with nobody.
"""

ELSEWHERE = NamespaceIdentity(dev=4, ino=1, ns_id="1")
"""A namespace of nobody on any node."""

KINDS: Sequence[tuple[str, PodSpec, ContainerSpec, int]] = (
    ("shareProcessNamespace: true", PodSpec(share_process_namespace=True), ContainerSpec(), 2),
    ("hostNetwork: true", PodSpec(host_network=True), ContainerSpec(), 2),
    ("hostPID: true", PodSpec(host_pid=True), ContainerSpec(), 2),
    ("hostIPC: true", PodSpec(host_ipc=True), ContainerSpec(), 2),
    (
        "hostNetwork, hostPID and hostIPC: true",
        PodSpec(host_network=True, host_pid=True, host_ipc=True),
        ContainerSpec(),
        2,
    ),
    ("hostUsers: false", PodSpec(host_users=False), ContainerSpec(), 2),
    ("An ephemeral container with targetContainerName: app", PodSpec(), ContainerSpec("app"), 2),
    ("A privileged container", PodSpec(), ContainerSpec(privileged=True), 2),
    ("cgroup v1", PodSpec(), ContainerSpec(), 1),
    (
        "A client that sends no namespace options (crictl)",
        PodSpec(options=False),
        ContainerSpec(options=False),
        2,
    ),
)


@dataclass(frozen=True, slots=True)
class Told:
    """A pod, the last of its containers, and what is said of both."""

    pod: Pod
    container: Container
    of_sandbox: dict[NamespaceType, Judgement]
    of_container: dict[NamespaceType, Judgement]

    def row(self, type_: NamespaceType) -> list[str]:
        """The cells of one type in the table of a kind of pod."""
        judgement = self.of_container[type_]
        return [
            str(type_),
            str(self.pod.requested.mode(type_) or "-"),
            self._shown(self.pod.assigned, type_),
            str(self.container.requested.mode(type_) or "-"),
            self._shown(self.container.assigned, type_),
            judgement.sharing,
            str(judgement.verdict),
            judgement.rule,
        ]

    def _shown(self, assigned: AssignedNamespaces, type_: NamespaceType) -> str:
        target = self.container.target
        text = assigned[type_].replace(f"/proc/{self.pod.sandbox.pid}/", "/proc/P/")
        text = text if target is None else text.replace(f"/proc/{target.actual.pid}/", "/proc/T/")
        return re.sub(r"[0-9a-f]{8}|(?<=sandboxes/)[0-9]+", "…", text)


def tell(
    spec: PodSpec,
    container: ContainerSpec,
    cgroup_version: int = 2,
    *,
    in_sandbox: Tamper | None = None,
    in_container: Tamper | None = None,
) -> Told:
    """Run a pod with `app` and, if that is to be a target, a debugger; judge the last of them."""
    node = Node(cgroup_version=cgroup_version)
    pod = node.run_pod(spec, in_sandbox)
    if container.target:
        node.start_container(pod, container.target, ContainerSpec())
    last = node.start_container(
        pod, "debugger" if container.target else "app", container, in_container
    )
    return Told(
        pod,
        last,
        judge_sandbox(pod.sandbox, pod.requested, pod.assigned, node.host, pod.paths),
        judge_container(last.actual, last.requested, last.assigned, pod.around(last, node.host)),
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


KIND_HEADER = (
    "type",
    "pod requested",
    "sandbox assigned",
    "container requested",
    "container assigned",
    "sharing",
    "verdict",
    "decided by",
)


def kinds() -> Iterator[str]:
    """One table per kind of pod; after the first only what differs from it."""
    plain = tell(PodSpec(), ContainerSpec())
    yield "## A plain pod"
    yield ""
    yield from table(KIND_HEADER, (plain.row(type_) for type_ in NamespaceType))
    for title, spec, container, cgroup_version in KINDS:
        told = tell(spec, container, cgroup_version)
        differing = [type_ for type_ in NamespaceType if told.row(type_) != plain.row(type_)]
        yield ""
        yield f"## {title}"
        yield ""
        yield from table(KIND_HEADER, (told.row(type_) for type_ in differing))
        yield ""
        yield "All else as in a plain pod."
    yield ""
    yield "Flags add up: each type follows its own row, whatever the others are."


def deviations() -> Iterator[str]:
    """What is said if one of them does otherwise."""
    net, ipc, pid = NamespaceType.NET, NamespaceType.IPC, NamespaceType.PID
    user, uts = NamespaceType.USER, NamespaceType.UTS
    plain, users = PodSpec(), PodSpec(host_users=False)
    by_container = [
        (
            "the runtime gives a container the host's network",
            plain,
            Tamper(net, lambda _: INHERITED),
        ),
        ("the runtime gives a container a new ipc namespace", plain, Tamper(ipc, lambda _: NEW)),
        ("the runtime shares the host's processes", plain, Tamper(pid, lambda _: INHERITED)),
        (
            "the runtime ignores a container's hostUsers: false",
            users,
            Tamper(user, lambda _: INHERITED),
        ),
        (
            "the spec is right, the process is elsewhere",
            plain,
            Tamper(ipc, identity=lambda _: ELSEWHERE),
        ),
        (
            "nothing was asked, the process is elsewhere",
            plain,
            Tamper(uts, identity=lambda _: ELSEWHERE),
        ),
    ]
    rows: list[list[str]] = []
    for what, spec, tamper in by_container:
        told = tell(spec, ContainerSpec(), in_container=tamper)
        rows.append(deviation(what, tamper.type_, "container", told, told.of_container))
    stray = Tamper(net, lambda _: INHERITED)
    told = tell(plain, ContainerSpec(), in_sandbox=stray)
    rows.append(
        deviation(
            "the runtime puts a sandbox into the host's network",
            net,
            "sandbox",
            told,
            told.of_sandbox,
        )
    )
    rows.append(
        deviation("... and a container follows it there", net, "container", told, told.of_container)
    )
    yield "## If somebody does otherwise"
    yield ""
    yield "The layers that differ tell who it was: with `requested/assigned` the runtime wrote"
    yield "another spec, with `assigned/actual` the process has something else than its spec says."
    yield "No other type of the pod is blamed."
    yield ""
    yield from table(
        ("what happens", "type", "of", "sharing", "layers that differ", "reason"), rows
    )


def deviation(
    what: str, type_: NamespaceType, whose: str, told: Told, judged: dict[NamespaceType, Judgement]
) -> list[str]:
    """The cells of one deviation."""
    judgement = judged[type_]
    reason = judgement.reason.replace(f"/proc/{told.pod.sandbox.pid}/", "/proc/P/")
    return [what, str(type_), whose, judgement.sharing, ", ".join(judgement.differ), reason]


def unread() -> Iterator[str]:
    """What is said if something is not known."""
    net = NamespaceType.NET
    node = Node()
    pod = node.run_pod(PodSpec())
    app = node.start_container(pod, "app", ContainerSpec())
    around = pod.around(app, node.host)
    nothing = NamespaceReading(pid=1, missing=dict.fromkeys(NamespaceType, "EACCES"))
    nobody = NamespaceReading(pid=0, missing=dict.fromkeys(NamespaceType, NO_PROCESS))
    future = replace_field(app.requested, net=7)
    cases = [
        ("the container's own was not read", nothing, app.requested, around),
        ("the host's was not read", app.actual, app.requested, replace(around, host=nothing)),
        ("the sandbox's was not read", app.actual, app.requested, replace(around, sandbox=nothing)),
        (
            "the sandbox has no process and keeps no network",
            app.actual,
            app.requested,
            replace(around, sandbox=nobody),
        ),
        ("CRI asks with a newer mode", app.actual, future, around),
    ]
    yield "## If something is not known"
    yield ""
    yield "What was not read makes no mismatch, and no claim. For a plain pod's net:"
    yield ""
    rows: list[list[str]] = []
    for what, actual, requested, beside in cases:
        judgement = judge_container(actual, requested, app.assigned, beside)[net]
        rows.append([what, judgement.sharing, str(judgement.verdict), judgement.reason])
    yield from table(("what is not known", "sharing", "verdict", "reason"), rows)


def rules() -> Iterator[str]:
    """Every rule and its sentence."""
    yield "## The rules"
    yield ""
    yield "Each judgement on record names the rule that decided it: that of CRI's request, and"
    yield "where CRI asked nothing, that of the OCI spec."
    yield ""
    yield from table(("rule", "what it says"), ((f"`{rule}`", rule.sentence) for rule in Rule))


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION.rstrip("\n").split("\n"), kinds(), deviations(), unread(), rules()]
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
