"""The options of the commands that look at a node or change it."""

from __future__ import annotations

from typing import Final

import click

PARTS: Final = ("hook", "shim", "containerd", "kubelet")
CONTAINERD_CONFIGURATION: Final = "/etc/containerd/config.toml"


def root() -> click.Option:
    """Which node."""
    return click.Option(
        ["--root"],
        type=click.Path(exists=True, file_okay=False),
        metavar="DIR",
        default="/",
        show_default=True,
        help="Work on the image below DIR; nothing is started or restarted there.",
    )


def only() -> click.Option:
    """Which parts."""
    return click.Option(
        ["--only"],
        type=click.Choice(PARTS),
        multiple=True,
        help="This part alone; may be given more than once.  [default: all]",
    )


def containerd() -> click.Option:
    """Which containerd."""
    return click.Option(
        ["--containerd"],
        metavar="PROGRAM",
        default="containerd",
        show_default=True,
        help="The node's containerd; `ctr` is beside it.",
    )


def containerd_config() -> click.Option:
    """Which main file of containerd."""
    return click.Option(
        ["--containerd-config"],
        metavar="PATH",
        default=CONTAINERD_CONFIGURATION,
        show_default=True,
        help="containerd's main configuration file; it need not exist.",
    )
