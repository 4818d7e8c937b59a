"""`nsledger snapshot`: look at this node once and answer, with nothing installed."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from typing import Final

import click

from nsledger.auditor import snapshot
from nsledger.cli import exit_codes, options
from nsledger.daemon import logs
from nsledger.errors import WrongUsageError
from nsledger.proc import host, other_root
from nsledger.render.text import visible

COMMANDS: Final = (
    "pods",
    "show",
    "explain",
    "findings",
    "report",
    "whois",
    "tree",
    "orphans",
    "log",
)
"""What can be asked of a snapshot."""
_WHY: Final = {
    "ENOENT": "this is another pid namespace than the node's: hostPID: true, or --root /host",
    "EACCES": "that takes root on the node: sudo, or privileged: true",
}
_MEMORY: Final = "/dev/shm"  # noqa: S108 - a directory of our own is made in it

_HELP = """\
Look at this node once and answer: which pods run, and which Linux namespaces they really have.

Nothing is installed, changed or left on the node, and no daemon is needed. The container runtime
(containerd, CRI-O, k3s: the first socket that answers) is asked what it has, /proc is read, and
COMMAND is answered from that; without COMMAND it is `pods`. Behind COMMAND stand its own options.

\b
COMMAND is one of
  pods      the pods, with the host's namespaces that they use
  show      which namespaces a pod's containers share
  explain   the same in sentences, and why
  findings  what is not as it should be
  report    a page for a browser, or a picture
  whois, tree, orphans, log

A snapshot knows what is now, and what was requested as far as the runtime repeats it. What was
before, what each call asked for, and what a container had at its very start only the installed
daemon and hook can know: `nsledger install --dry-run` shows what they would change.
"""


def run(
    *,
    arguments: Sequence[str],
    runtime: str | None,
    root: str,
    ledger: str | None,
    output_file: str | None,
) -> int:
    """Take the snapshot and answer; the exit status."""
    question = _question(arguments, output_file)
    if ledger is not None and _has_entries(ledger):
        raise WrongUsageError(
            f"{ledger}: found files, needed a new or empty directory for what is seen",
            hint="A ledger is one look; the daemon is what goes on recording.",
        )
    if os.path.realpath(root) != "/":
        other_root.look_from(os.path.realpath(root))
    socket = _socket(runtime, root)
    logs.configure("error", "console")
    with _directory(ledger) as directory:
        taken = snapshot.take(socket, directory, node_name=_node_name(root))
        _say(taken, ledger)
        code = _answer(question, directory)
        if question[0] == "pods" and len(question) == 1:
            _say_next(ledger, taken)
    return code


def _question(arguments: Sequence[str], output_file: str | None) -> list[str]:
    """The command that answers, with its arguments."""
    if output_file is not None:
        if arguments:
            raise WrongUsageError("found both --output-file and COMMAND, needed one of them")
        return ["report", "-f", output_file]
    if not arguments or arguments[0].startswith("-"):
        return ["pods", *arguments]
    if arguments[0] not in COMMANDS:
        raise WrongUsageError(
            f"found {arguments[0]!r}, needed one of {', '.join(COMMANDS)}",
            hint=f"For one pod: nsledger snapshot show {arguments[0]}",
        )
    return list(arguments)


def _has_entries(directory: str) -> bool:
    try:
        return bool(os.listdir(directory))
    except FileNotFoundError:
        return False


def _socket(runtime: str | None, root: str) -> str:
    if runtime is None:
        return snapshot.find_runtime(root)
    path = runtime.removeprefix("unix://")
    if not os.path.exists(path):
        raise WrongUsageError(
            f"--runtime: found nothing at {path}, needed the runtime's socket",
            hint="Such as /run/containerd/containerd.sock or /run/crio/crio.sock.",
        )
    return snapshot.find_runtime(sockets=(path,))


def _node_name(root: str) -> str:
    own = os.path.realpath(root) == "/"
    return host.node_name() if own else other_root.node_name(root)


@contextlib.contextmanager
def _directory(ledger: str | None) -> Generator[str]:
    """Where the records are, for as long as they are asked for."""
    if ledger is not None:
        yield ledger
        return
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nsledger-", dir=memory) as directory:
        yield os.path.join(directory, "ledger")


def _answer(question: Sequence[str], directory: str) -> int:
    from nsledger.cli.main import command as group  # noqa: PLC0415 - it imports this module

    name, *rest = question
    arguments = [name, "--ledger", directory, *rest]
    with group.make_context("nsledger", arguments) as context:
        result = group.invoke(context)
    return result if isinstance(result, int) else exit_codes.OK


def _say(taken: snapshot.Taken, ledger: str | None) -> None:
    kept = f"kept in {ledger}" if ledger else "nothing is kept"
    said = (
        f"{taken.runtime} at {taken.socket}: {_count(taken.sandboxes, 'pod sandbox', 'es')}, "
        f"{_count(taken.containers, 'container')}, seen in {taken.duration_s:.2f} s; {kept}"
    )
    sys.stderr.write(visible(said) + "\n")
    for reason in dict.fromkeys(taken.unanswered):
        times = taken.unanswered.count(reason)
        sys.stderr.write(visible(f"not told: {reason} ({_count(times, 'time')})") + "\n")
    for errno_name, number in taken.unread.items():
        processes = _count(number, "process", "es")
        why = _WHY.get(errno_name, "their namespaces stay unknown")
        sys.stderr.write(f"not read: {processes} ({errno_name}): {why}\n")
    sys.stderr.flush()


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _say_next(ledger: str | None, taken: snapshot.Taken) -> None:
    sys.stdout.flush()
    prefix, suffix = ("nsledger", f" --ledger {ledger}") if ledger else ("nsledger snapshot", "")
    steps = {
        f"{prefix} explain {taken.example or 'POD'}{suffix}": "who shares what in a pod, and why",
        f"{prefix} findings{suffix}": "what is not as it should be",
        f"{prefix} report -f node.html{suffix}": "the whole node as a page",
        "nsledger install --dry-run": "what it takes to know every request, and what was before",
    }
    width = max(map(len, steps))
    lines = [f"  {visible(step):{width}}  {why}" for step, why in steps.items()]
    sys.stderr.writelines(f"{line}\n" for line in ["", "Next:", *lines])


command = click.Command(
    "snapshot",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger snapshot",
        "nsledger snapshot explain web",
        "nsledger snapshot show kube-system/node-agent-x7k2p -o wide",
        "nsledger snapshot pods --sharing host -o json",
        "nsledger snapshot -f node.html",
        "nsledger snapshot --ledger ./seen && nsledger show web --ledger ./seen",
        "nsledger snapshot --root /host findings",
        "nsledger snapshot --runtime /run/k3s/containerd/containerd.sock",
    ),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    params=[
        click.Argument(
            ["arguments"], metavar="[COMMAND [ARGUMENT]...]", nargs=-1, type=click.UNPROCESSED
        ),
        click.Option(
            ["--runtime"],
            metavar="SOCKET",
            help="The runtime's socket.  [default: the first that answers]",
        ),
        click.Option(
            ["--root"],
            metavar="DIR",
            default="/",
            show_default=True,
            help="Where the node's root is mounted, in a privileged container: /host.",
        ),
        click.Option(
            ["--ledger"],
            metavar="DIR",
            help="Keep what is seen as a ledger in this new directory, for every other command.",
        ),
        click.Option(
            ["-f", "--output-file"],
            metavar="FILE",
            help="Write the page of the whole node there: the same as `report -f FILE`.",
        ),
    ],
)
