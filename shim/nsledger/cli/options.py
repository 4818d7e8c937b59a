"""The options that several commands have, under one name and with one meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from nsledger.cli import exit_codes
from nsledger.cli.moment import MomentType

DEFAULT_LEDGER: Final = "/var/lib/nsledger/ledger"


def ledger() -> click.Option:
    """Which ledger is read."""
    return click.Option(
        ["--ledger"],
        metavar="PATH",
        default=DEFAULT_LEDGER,
        show_default=True,
        envvar="NSLEDGER_LEDGER",
        show_envvar=True,
        help="The ledger's directory, a copy of it, or one of its .jsonl files.",
    )


def output(choices: Sequence[str]) -> click.Option:
    """In which form the answer is; the first choice is the default."""
    return click.Option(
        ["-o", "--output"],
        type=click.Choice(choices),
        default=choices[0],
        show_default=True,
        help="Form of the answer; the keys of json and yaml are the same and stay.",
    )


def color() -> click.Option:
    """Whether there is colour."""
    return click.Option(
        ["--color"],
        type=click.Choice(["auto", "always", "never"]),
        default="auto",
        show_default=True,
        help="Colour: auto is on a terminal only, and never where NO_COLOR is set.",
    )


TYPES: Final = ("net", "ipc", "uts", "pid", "mnt", "user", "cgroup", "time")
"""The types of Linux namespaces, in the order of every table (`domain.matrix.ORDER`)."""


def k8s_namespaces() -> click.Option:
    """Pods of which part of the cluster are meant."""
    return click.Option(
        ["-n", "--k8s-namespace", "k8s_namespaces"],
        multiple=True,
        metavar="NAME",
        help="Only of this Kubernetes namespace, or a shell pattern; may be given again.",
    )


def types(help_: str) -> click.Option:
    """Which types of Linux namespaces are meant."""
    return click.Option(["--type", "types"], multiple=True, type=click.Choice(TYPES), help=help_)


def ended() -> click.Option:
    """Whether pods that are gone are meant too."""
    return click.Option(["-a", "--all", "ended"], is_flag=True, help="Pods that are gone too.")


def at(help_: str) -> click.Option:
    """Which moment is asked about."""
    return click.Option(["--at"], type=MomentType(), help=help_)


def utc() -> click.Option:
    """In which zone times are read and shown."""
    return click.Option(
        ["--utc"], is_flag=True, is_eager=True, help="Read and show times in UTC, not local time."
    )


def epilog(*examples: str, more: str = "") -> str:
    """What stands below the options: examples, then `more`, then what the exit status says."""
    listed = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{listed}\n\n{more}\n{exit_codes.IN_HELP}"
