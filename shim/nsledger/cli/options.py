"""The options that several commands have, under one name and with one meaning."""

from __future__ import annotations

import os
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
_PART: Final = r"(\d+) ?(s|sec|seconds?|m|min|minutes?|h|hr|hours?|d|days?|w|weeks?)(?=[ \d]|$)"
_AGO: Final = re.compile(rf"-?{_PART}(?: ?{_PART})*(?: ago)?", re.ASCII).fullmatch
_PARTS: Final = re.compile(_PART, re.ASCII).findall
_CLOCK: Final = re.compile(r"\d{2}:\d{2}(?::\d{2})?", re.ASCII).fullmatch
_EPOCH: Final = re.compile(r"@(\d{1,12})(?:\.(\d{1,9}))?", re.ASCII).fullmatch
_LOCAL: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9}))?)?", re.ASCII
).fullmatch
_LONGEST: Final = 40

IN_HELP: Final = """\b
Times:
  10m, 5min, 1h30m, -2h, "1 hour ago"   so long ago
  now, today, yesterday             today and yesterday begin at midnight
  14:03, 14:03:30                   today
  2026-11-24, 2026-11-24 10:00      local time, or UTC with --utc
  2026-11-24T10:00:00.5+01:00       RFC 3339
  @1795514400                       seconds since 1970
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
        return now_ns - _NS * sum(int(count) * _UNITS_S[unit[0]] for count, unit in _PARTS(text))
    if _CLOCK(text):
        today = datetime.fromtimestamp(now_ns // _NS, UTC).astimezone(zone).date()
        return _whole_second(f"{today}T{text}", zone)
    epoch = _EPOCH(text)
    if epoch:
        return int(epoch[1]) * _NS + int((epoch[2] or "").ljust(9, "0"))
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
                f"found {visible(value)!r}, needed a time such as 10m, '1 hour ago', 14:03, "
                "yesterday, '2026-11-24 10:00' or 2026-11-24T10:00:00Z",
                param,
                ctx,
            )


def in_future(_context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A time to come, in nanoseconds of Unix time: `90d` is in 90 days.

    Raises:
        click.BadParameter: it is no time.
    """
    now_ns = time.time_ns()
    try:
        moment_ns = parse_moment(value, now_ns=now_ns, zone=None)
    except ValueError as error:
        raise click.BadParameter(
            f"found {visible(value)!r}, needed a time to come such as 90d or 2027-03-01",
            param=parameter,
        ) from error
    return 2 * now_ns - moment_ns if _AGO(value.strip()) else moment_ns


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
    """Pods of which part of the cluster are meant: kubectl's flag, with its meaning."""
    return click.Option(
        ["-n", "--namespace", "--k8s-namespace", "k8s_namespaces"],
        multiple=True,
        metavar="NAME",
        help="Only of this Kubernetes namespace, or a shell pattern; may be given again.",
    )


def all_k8s_namespaces() -> click.Option:
    """What kubectl's users type, and what holds without it."""
    return click.Option(
        ["-A", "--all-namespaces", "all_k8s_namespaces"],
        is_flag=True,
        expose_value=False,
        help="Of every Kubernetes namespace: so it is without -n.",
    )


def _no_labels(_context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError(
            "found a label selector, needed a name or -n: no labels of pods are on record."
        )


def selector() -> click.Option:
    """Kubectl's flag, to say that it has no meaning here."""
    return click.Option(["-l", "--selector"], hidden=True, expose_value=False, callback=_no_labels)


def complete_pods(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """What a shell may put in place of `incomplete`: names of pods, by the ledger's index."""
    import contextlib  # noqa: PLC0415 - for a shell alone, as all that follows
    import io  # noqa: PLC0415

    from nsledger.cli.reading import reading  # noqa: PLC0415
    from nsledger.errors import NsledgerError  # noqa: PLC0415

    ledger = str(ctx.params.get("ledger") or os.environ.get("NSLEDGER_LEDGER") or DEFAULT_LEDGER)
    with contextlib.suppress(NsledgerError, OSError), contextlib.redirect_stderr(io.StringIO()):
        with reading(ledger) as found:
            names = found.ask(lambda records: records.names())
        full = "/" in incomplete
        return sorted({one for one in names if ("/" in one) == full and one.startswith(incomplete)})
    return []


def no_headers() -> click.Option:
    """Whether a table has its line of titles."""
    return click.Option(["--no-headers"], is_flag=True, help="Leave out the table's titles.")


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
