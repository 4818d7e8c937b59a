"""The options that several commands have, under one name and with one meaning."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final

import click

from nsledger.cli import exit_codes
from nsledger.model.instants import NotAnInstantError, unix_ns
from nsledger.render.text import visible

if TYPE_CHECKING:
    _IntType = click.ParamType[int]
else:
    _IntType = click.ParamType  # older releases of click have it without a parameter

_NS: Final = 1_000_000_000
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO: Final = re.compile(r"-?(?:\d+[smhdw])+", re.ASCII).fullmatch
_PARTS: Final = re.compile(r"(\d+)([smhdw])", re.ASCII).findall
_LOCAL: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?)?", re.ASCII
).fullmatch
_LONGEST: Final = 40

IN_HELP: Final = """\b
Times:
  10m, 2h, 3d, 1h30m, -10m          so long ago, with or without the minus
  now, today, yesterday             today and yesterday begin at midnight
  2026-11-24, 2026-11-24 10:00      local time, or UTC with --utc
  2026-11-24T10:00:00.5+01:00       RFC 3339
"""


def parse_moment(text: str, *, now_ns: int, zone: tzinfo | None) -> int:
    """The Unix time in nanoseconds that `text` names; a zone of None is the local one.

    Raises:
        ValueError: it names none from 1970 on that 63 bits can hold.
    """
    try:
        moment_ns = _parse(text.strip()[:_LONGEST], now_ns, zone)
    except (NotAnInstantError, OverflowError) as error:
        raise ValueError(text) from error
    if not 0 <= moment_ns < 1 << 63:
        raise ValueError(text)
    return moment_ns


def _parse(text: str, now_ns: int, zone: tzinfo | None) -> int:
    if text == "now":
        return now_ns
    if text in {"today", "yesterday"}:
        today = datetime.fromtimestamp(now_ns // _NS, UTC).astimezone(zone).date()
        day = today - timedelta(days=1) if text == "yesterday" else today
        return _whole_second(f"{day}T00:00:00", zone)
    if _AGO(text):
        return now_ns - _NS * sum(int(count) * _UNITS_S[unit] for count, unit in _PARTS(text))
    local = _LOCAL(text)
    if local:
        date, clock, fraction = local.groups()
        whole = _whole_second(f"{date}T{clock or '00:00'}", zone)
        return whole + int((fraction or "").ljust(9, "0"))
    return unix_ns(text)


def _whole_second(text: str, zone: tzinfo | None) -> int:
    moment = datetime.fromisoformat(text)
    moment = moment.astimezone() if zone is None else moment.replace(tzinfo=zone)
    return int(moment.timestamp()) * _NS


def require_order(since: int | None, until: int | None) -> None:
    """Nothing, if there is time from `since` to before `until`.

    Raises:
        click.UsageError: there is none, which would look like a ledger without records.
    """
    if since is not None and until is not None and since >= until:
        raise click.UsageError("--since must be before --until: nothing is from then to then.")


class MomentType(_IntType):
    """A moment on the command line, in nanoseconds of Unix time. Reads --utc, which is eager."""

    name = "time"

    def convert(
        self, value: str | int, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """The moment that `value` names."""
        if isinstance(value, int):
            return value
        zone = UTC if ctx is not None and ctx.params.get("utc") else None
        try:
            return parse_moment(value, now_ns=time.time_ns(), zone=zone)
        except ValueError:
            self.fail(
                f"found {visible(value)!r}, needed a time such as 10m, 2h, today, yesterday, "
                "'2026-11-24 10:00' or 2026-11-24T10:00:00Z",
                param,
                ctx,
            )


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


PARTS: Final = ("hook", "shim", "containerd", "kubelet")


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


def containerd(default: str = "containerd") -> click.Option:
    """Which containerd; an empty default stands for the one that was installed with."""
    return click.Option(
        ["--containerd"],
        metavar="PROGRAM",
        default=default,
        show_default=bool(default),
        help="The node's containerd; `ctr` is beside it.",
    )


def containerd_config() -> click.Option:
    """Which main file of containerd."""
    return click.Option(
        ["--containerd-config"],
        metavar="PATH",
        default="",
        help="containerd's main configuration file; it need not exist.  [default: what "
        "containerd.service says, or /etc/containerd/config.toml]",
    )
