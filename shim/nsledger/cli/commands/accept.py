"""`nsledger accept`: accept findings that one can live with, for a time and for a reason."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from typing import Final

import click
import msgspec
import tomlkit

from nsledger.cli import exit_codes, options
from nsledger.cli.options import in_future
from nsledger.cli.output import write_whole
from nsledger.errors import NsledgerError, WrongUsageError
from nsledger.model.namespaces import NamespaceType
from nsledger.model.record import rfc3339
from nsledger.render.text import visible
from nsledger.state.acceptance import Acceptance, NotAcceptancesError, parse

DIRECTORY: Final = "/etc/nsledger/accept.d"
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH

_HELP = f"""\
Accept findings of KIND: `nsledger findings` tells them apart, and they do not count for its exit
status. KIND is a kind of finding or a shell pattern, as in `nsledger findings --kind`.

What is accepted is one file in {DIRECTORY}, to be reviewed and kept like code; removing the file
takes it back. It holds for a time, for the pods that --pod names, and for the types that --type
names: when a pod that is accepted in the host's network is found in the host's pids too, that is a
finding again. The file says who accepted it, when and why.
"""


class UnusableAcceptanceError(NsledgerError):
    """A file of acceptances that cannot be relied on: nothing is hidden by it in silence."""

    hint = "`nsledger accept --help` tells how such a file is written."


def run(
    *,
    kind: str | None,
    pod: str,
    types: Sequence[str],
    until: int,
    reason: str | None,
    list_: bool,
    directory: str,
) -> int:
    """Write the file, or list what is accepted; the exit status."""
    if list_:
        return _list(directory)
    if kind is None or not reason or not reason.strip():
        raise WrongUsageError(
            "found no KIND or no --reason, needed both",
            hint="nsledger accept host_namespace --pod kube-system/NAME --type net --reason WHY",
        )
    now_ns = time.time_ns()
    if until <= now_ns:
        raise WrongUsageError("--until: found a time that is over, needed one to come")
    rule = Acceptance(
        kind=kind,
        pod=pod,
        types=msgspec.convert(list(types), tuple[NamespaceType, ...]),
        until=rfc3339(until),
        reason=reason.strip(),
        by=_who(),
        accepted=rfc3339(now_ns),
    )
    table = {key: value for key, value in msgspec.to_builtins(rule).items() if value}
    try:
        parse({"accept": [table]})
    except NotAcceptancesError as error:
        raise WrongUsageError(str(error)) from error
    path = os.path.join(directory, _file_name(rule))
    os.makedirs(directory, mode=0o755, exist_ok=True)
    write_whole(path, tomlkit.dumps({"accept": [table]}))
    sys.stdout.write(f"accepted until {rule.until} in {visible(path)}\n")
    return exit_codes.OK


def acceptances(directory: str = DIRECTORY) -> Iterator[tuple[str, Acceptance]]:
    """Each rule with its file, in the order of the files' names; none without the directory.

    Raises:
        UnusableAcceptanceError: a file holds something else, or others may write it.
        OSError: one cannot be read.
    """
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".toml"))
    except FileNotFoundError:
        return
    for name in names:
        path = os.path.join(directory, name)
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if status.st_mode & _WRITABLE or status.st_uid not in {0, os.geteuid()}:
                raise UnusableAcceptanceError(
                    f"{path}: found a file that others may write, needed one of root alone"
                )
            try:
                rules = parse(tomllib.load(file))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError, NotAcceptancesError) as error:
                raise UnusableAcceptanceError(f"{path}: {error}") from error
        for rule in rules:
            yield path, rule


def _list(directory: str) -> int:
    now_ns = time.time_ns()
    for path, rule in acceptances(directory):
        over = "  OVER" if rule.is_over(now_ns) else ""
        about = " ".join([rule.kind, rule.pod or "the node", *rule.types])
        told = f"{about}  until {rule.until}{over}  by {rule.by or '?'}: {rule.reason}  ({path})"
        sys.stdout.write(visible(told) + "\n")
    return exit_codes.OK


def _who() -> str:
    """The user who asked for it: the one behind sudo, too."""
    import pwd  # noqa: PLC0415 - for this alone

    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo: {behind})" if behind else name


def _file_name(rule: Acceptance) -> str:
    """One for each kind, pattern and set of types, so that a longer time replaces a shorter one."""
    words = "-".join(filter(None, (rule.kind, rule.pod, *rule.types)))
    own = hashlib.sha256(repr((rule.kind, rule.pod, rule.types)).encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9.]+', '-', words).strip('-.')[:100]}-{own}.toml"


command = click.Command(
    "accept",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger accept gap --reason 'the disk was full' --directory ./known",
        "nsledger accept 'hook*' --pod 'kube-*/*' --reason agents --directory .",
        "nsledger accept --list --directory ./known",
    ),
    params=[
        click.Argument(["kind"], metavar="[KIND]", required=False),
        click.Option(
            ["--pod"],
            metavar="PATTERN",
            default="",
            help="Of pods of this k8s_namespace/name; without it, of findings about no pod.",
        ),
        options.types("Only while it is about no other type than these; may be given again."),
        click.Option(
            ["--until"],
            metavar="TIME",
            default="90d",
            show_default=True,
            callback=in_future,
            help="How long: 90d from now, or a date.",
        ),
        click.Option(["--reason"], metavar="TEXT", help="Why; it is shown with the finding."),
        click.Option(["--list", "list_"], is_flag=True, help="List what is accepted."),
        click.Option(
            ["--directory"],
            metavar="DIR",
            default=DIRECTORY,
            show_default=True,
            help="Where the files are.",
        ),
    ],
)
