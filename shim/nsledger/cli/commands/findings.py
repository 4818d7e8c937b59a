"""`nsledger findings`: tell what is not as it should be, with evidence and remedy."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.commands.accept import DIRECTORY, acceptances
from nsledger.cli.options import IN_HELP, MomentType, require_order
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import reading
from nsledger.errors import WrongUsageError
from nsledger.model.instants import unix_ns
from nsledger.render import finding_table
from nsledger.state.acceptance import Told, parted
from nsledger.state.findings import Finding, Kind, Severity
from nsledger.state.inspection import inspect

_SHORTEST_ID: Final = 4
_SEVERITIES = ("high", "medium", "low", "info")

_HELP = """\
Tell what is not as it should be on this node, the worst first.

Each finding has a severity, the pod and container, when it was so, the records that show it, and
what to do. The kinds are stable words:

\b
  mismatch.requested_assigned the spec is not what CRI asked for high
  mismatch.requested_actual   the process is not where CRI asked high
  mismatch.assigned_actual    it is not where its spec says      high
  shim_bypassed               started or removed without a call  high
  namespace_changed           a process moved after it started   high, medium
  ledger_pruned               most records removed in a day      medium
  segment_altered             someone else wrote to the ledger   high
  host_namespace              a pod in the node's namespaces     medium, low
  hook_missing                a start that the hook did not see  medium
  process_gone                ended unasked, or though listed    medium
  gap                         something is missing on record     medium
  unwatched                   nobody watched                     medium, low
  spool_quarantined           a spool file that is no record     low
  partial_read                some namespaces could not be read  low
  foreign                     a container of another engine       info
  unobservable                no process on this kernel          info

In the node's user and time namespaces every ordinary pod is, and on cgroup v1 in its cgroup
namespace: these are no findings. What happened while nobody watched is not held against anybody.

The exit status is 1 if there is a finding, with --fail-on only if one is as bad. What somebody
accepted with `nsledger accept` is told apart, below the others, and does not count.
"""


def run(
    *,
    ledger: str,
    since: int | None,
    until: int | None,
    severity: str,
    kinds: Sequence[str],
    k8s_namespaces: Sequence[str],
    pods: Sequence[str],
    accept_directory: str,
    fail_on: str,
    output: Literal["table", "wide", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Tell the findings of the ledger at `ledger`; the exit status."""
    require_order(since, until)
    _need_kinds(kinds)
    with reading(ledger) as history:
        all_ = history.ask(lambda records: inspect(records.findings()))
    selected = [
        one
        for one in all_
        if one.severity.rank <= Severity(severity).rank
        and (not kinds or any(fnmatch.fnmatchcase(one.kind, kind) for kind in kinds))
        and _is_within(one, since, until)
        and _is_of(one, k8s_namespaces, pods)
    ]
    rules = [rule for _, rule in acceptances(accept_directory)]
    found, accepted = parted(selected, rules, time.time_ns())
    draw = finding_table.draw_wide if output == "wide" else finding_table.draw

    def draw_all() -> Iterator[str]:
        drawn_for = screen(color=color, utc=utc)
        yield from draw(found, drawn_for) if found else ["no findings"]
        yield from finding_table.draw_accepted(accepted, drawn_for)

    told = [Told.of(one) for one in found] + [Told.of(one, rule) for one, rule in accepted]
    write_answer(told, output, draw_all)
    if fail_on == "never":
        return history.status(exit_codes.OK)
    bad = any(one.severity.rank <= Severity(fail_on).rank for one in found)
    return history.status(exit_codes.FOUND if bad else exit_codes.OK)


def _need_kinds(patterns: Sequence[str]) -> None:
    """A misspelt kind must not look like a node on which all is well."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(kind, pattern) for kind in Kind):
            raise WrongUsageError(f"no kind is called {pattern!r}; there are:", details=[*Kind])


def _is_of(one: Finding, k8s_namespaces: Sequence[str], pods: Sequence[str]) -> bool:
    if not k8s_namespaces and not pods:
        return True
    pod = one.pod
    if pod is None:
        return False
    names = pod.name, pod.full_name, pod.uid
    return (
        not k8s_namespaces
        or any(fnmatch.fnmatchcase(pod.k8s_namespace, pattern) for pattern in k8s_namespaces)
    ) and (
        not pods
        or any(
            any(fnmatch.fnmatchcase(name, pattern) for name in names)
            or (len(pattern) >= _SHORTEST_ID and pod.pod_sandbox_id.startswith(pattern))
            for pattern in pods
        )
    )


def _is_within(one: Finding, since: int | None, until: int | None) -> bool:
    if until is not None and unix_ns(one.first_time) >= until:
        return False
    return since is None or one.ongoing or unix_ns(one.last_time) >= since


command = click.Command(
    "findings",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger findings --fail-on high",
        "nsledger findings --severity high",
        "nsledger findings --kind 'mismatch.*' --kind shim_bypassed -o json",
        "nsledger findings --since today --fail-on never -o wide",
        more=IN_HELP,
    ),
    params=[
        click.Option(["--since"], type=MomentType(), help="Only what was still so then or later."),
        click.Option(["--until"], type=MomentType(), help="Only what was first seen before then."),
        click.Option(
            ["--severity"],
            type=click.Choice(_SEVERITIES),
            default="info",
            show_default=True,
            help="Only what is as bad as this, or worse.",
        ),
        click.Option(
            ["--kind", "kinds"],
            multiple=True,
            metavar="KIND",
            help="Only this kind, or a shell pattern; may be given again.",
        ),
        options.k8s_namespaces(),
        options.all_k8s_namespaces(),
        options.selector(),
        click.Option(
            ["--pod", "pods"],
            multiple=True,
            shell_complete=options.complete_pods,
            metavar="POD",
            help="Only of this pod: name, k8s_namespace/name, uid, id prefix, or a shell pattern.",
        ),
        click.Option(
            ["--accept-directory"],
            metavar="DIR",
            default=DIRECTORY,
            show_default=True,
            help="Where it stands what was accepted.",
        ),
        click.Option(
            ["--fail-on"],
            type=click.Choice([*_SEVERITIES, "never"]),
            default="info",
            show_default=True,
            help="How bad a finding has to be for exit status 1.",
        ),
        options.output(("table", "wide", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
