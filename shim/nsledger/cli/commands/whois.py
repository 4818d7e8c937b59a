"""`nsledger whois`: tell whose namespace or process a number is, or was."""

from __future__ import annotations

import time
from typing import Literal

import click
from msgspec.structs import replace

from nsledger.cli import exit_codes, options
from nsledger.cli.options import IN_HELP, MomentType, require_order
from nsledger.cli.output import ColorChoice, screen, write_answer
from nsledger.cli.reading import Reading, reading
from nsledger.errors import WrongUsageError
from nsledger.model.instants import ALWAYS, Period
from nsledger.model.record import rfc3339
from nsledger.query.index_lookup import answer
from nsledger.query.targets import ByIdentity, ByPath, NotAQuestionError, Question, parse
from nsledger.query.whois import Answer, Outcome, find, not_of_the_future
from nsledger.render import whois_text

_HELP = """\
Tell whose namespace X is, or was.

\b
X is one of
  net:[4026532257]        a namespace as the kernel writes it
  4026532257, ino:N       its inode
  id:4303                 its 64-bit id, given again by another boot only
  pid:18477               a process of this node, by its number on the host
  /proc/18477/ns/net      one namespace of a process
  /run/netns/cni-…        where a pod's network namespace is mounted, or was
  3f2a9c0d1e…             a container or pod sandbox, by how its id begins
  10.88.0.7               a pod, by its IP
  veth5f47613f, dev:NAME  a pod, by its interface on the node

The kernel gives a freed inode to the next namespace at once, so without --at the answer is every
owner there was, each with its time and the records that prove it. Where the record does not tell,
the answer is unknown, with the reason; it is never a guess.
"""


def run(
    *,
    ledger: str,
    x: str,
    at: int | None,
    since: int | None,
    until: int | None,
    live: bool,
    no_index: bool,
    output: Literal["table", "json", "yaml"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """Answer from the ledger at `ledger`; the exit status."""
    require_order(since, until)
    if at is not None and (since, until) != (None, None):
        raise click.UsageError("--at is one moment: give it, or --since and --until.")
    try:
        question = parse(x)
    except NotAQuestionError as error:
        raise WrongUsageError(str(error), hint=error.hint) from error
    period = _period(at, since, until)
    with reading(ledger) as history:
        found = _found(history, question, x, period, no_index=no_index)
        if isinstance(question, ByPath) and found.outcome is Outcome.UNKNOWN:
            found = _as_mounted(history, question, found, period, no_index=no_index)
    found = not_of_the_future(found, now_ns=time.time_ns())
    if live:
        from nsledger.query import live as living  # noqa: PLC0415 - most answers are about the record

        found = replace(found, live=living.state_of(found.intervals))
    write_answer(found, output, lambda: whois_text.draw(found, screen(color=color, utc=utc)))
    unknown = found.outcome is Outcome.UNKNOWN
    return history.status(exit_codes.NO_ANSWER if unknown else exit_codes.OK)


def _period(at: int | None, since: int | None, until: int | None) -> Period:
    if at is not None:
        return Period.moment(rfc3339(at))
    if since is None and until is None:
        return ALWAYS
    return Period(
        None if since is None else rfc3339(since), None if until is None else rfc3339(until)
    )


def _found(
    history: Reading, question: Question, x: str, period: Period, *, no_index: bool
) -> Answer:
    if no_index or history.is_young:
        return find(history.everything(), question, asked=x, period=period)
    return history.ask(lambda records: answer(records, question, asked=x, period=period))


def _as_mounted(
    history: Reading, question: ByPath, unknown: Answer, period: Period, *, no_index: bool
) -> Answer:
    """Whose namespace the path leads to now, on this node and this boot.

    Where the kernel gives no id, its inode names it only as long as it is there: then it is asked
    for now, and another time stays unknown.
    """
    from nsledger.proc import host, nsfs  # noqa: PLC0415 - most questions are no paths

    mounted = nsfs.identify(question.path)
    if mounted is None:
        return unknown
    type_, identity = mounted
    if identity.ns_id is None:
        if not period.is_always:
            return unknown
        period = Period.moment(rfc3339(time.time_ns()))
    meant = ByIdentity(host.boot_id(), type_, identity)
    found = _found(history, meant, unknown.asked, period, no_index=no_index)
    return unknown if found.outcome is Outcome.UNKNOWN else found


command = click.Command(
    "whois",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger whois net:[4026532257]",
        "nsledger whois 4026532257 --at '2026-11-24 00:04:00' --utc",
        "nsledger whois pid:18477",
        "nsledger whois /proc/18477/ns/net -o json",
        "nsledger whois 10.88.0.2 --since 1h --live",
        more=IN_HELP,
    ),
    params=[
        click.Argument(["x"], metavar="X"),
        options.at("Whose it was then."),
        click.Option(["--since"], type=MomentType(), help="Whose it was then or later."),
        click.Option(["--until"], type=MomentType(), help="Whose it was before then."),
        click.Option(
            ["--live"], is_flag=True, help="Look in /proc whether the processes are still there."
        ),
        click.Option(
            ["--no-index"],
            is_flag=True,
            help="Fold the whole ledger instead of asking its index: slow, and the same answer.",
        ),
        options.output(("table", "json", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
