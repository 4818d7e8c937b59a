"""`nsledger log`: list what is on record."""

from __future__ import annotations

import itertools
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final

import click

from nsledger.cli import exit_codes, options
from nsledger.cli.log_formats import CheckpointsAlong, LogFormat, LogWriter, log_writer
from nsledger.cli.log_selection import Selection
from nsledger.cli.options import IN_HELP, MomentType, require_order
from nsledger.cli.output import ColorChoice, screen
from nsledger.cli.reading import Reading, reading, reading_checkpoints
from nsledger.errors import WrongUsageError
from nsledger.index.records import Records
from nsledger.ledger import reader as cursors
from nsledger.ledger.line import Entry
from nsledger.ledger.reader import entries, entries_backwards, follow, ledger_id
from nsledger.model.events import Source
from nsledger.model.record import decode
from nsledger.render.text import visible

_SOURCES = ("cri_proxy", "oci_hook", "reconcile", "daemon")

_HELP = """\
List what is on record, oldest first.

The table has the time, the event, the pod and container, and the gist.

Records stand in the order in which they were written, which is the order of their numbers. Times
are the node's wall clock then: where it was set, a record `clock.stepped` says so, and times may
go back. --since and --until look at each record's own time, so over such a step they may select
records that do not stand together, and they miss none.

A shipper goes on where it was with --cursor: the number of the last line that it has, and the
line's SHA-256, newline included.

An export proves more with the node's signed checkpoints: --checkpoints puts those of FILE between
the lines of jsonl, as {"checkpoint":"…"}, each behind its entry, or behind what was exported when
it was signed. `nsledger verify --checkpoint` reads them out of the export; the lines that begin
with {"seq" are the copy of the ledger.

jsonl gives each line as it was written, byte for byte, so that its hash can be checked; only to a
terminal, characters that could steer it go escaped. A live ledger may be read at any time.
"""


_LOOK_AGAIN_S: Final = 0.2


def run(
    *,
    ledger: str,
    since: int | None,
    until: int | None,
    tail: int | None,
    reverse: bool,
    follow: bool,
    cursor: str | None,
    checkpoints: str | None,
    k8s_namespaces: Sequence[str],
    pod: Sequence[str],
    container: Sequence[str],
    event: Sequence[str],
    source: Sequence[str],
    output: LogFormat,
    utc: bool,
    color: ColorChoice,
) -> int:
    """List the ledger at `ledger`; the exit status."""
    require_order(since, until)
    if follow and reverse:
        raise click.UsageError("--follow goes on for ever, so --reverse has no end to begin at.")
    if follow and output == "json":
        raise click.UsageError("a JSON array that is followed has no end: use -o jsonl.")
    if checkpoints and (output != "jsonl" or reverse):
        raise click.UsageError("--checkpoints stand between the lines of -o jsonl, oldest first.")
    k8s_namespaces, tail = _numbers_are_lines(k8s_namespaces, tail)
    selection = Selection(
        k8s_namespaces=k8s_namespaces,
        since_ns=since,
        until_ns=until,
        pods=pod,
        containers=container,
        events=event,
        sources=tuple(Source(one) for one in source),
    )
    with reading(ledger) as found:
        start_seq = 1 if cursor is None else _behind(ledger, cursor)
        along = None if checkpoints is None else _along(ledger, checkpoints, start_seq - 1)
        writer = log_writer(output, screen(color=color, utc=utc), along)
        last = next(entries_backwards(ledger, damaged=found.met), None)
        end_seq = 0 if last is None else last.seq
        writer.begin()
        span = range(start_seq, end_seq + 1)
        is_empty = True
        for entry in _listed(found, selection, span, newest=tail, reverse=reverse):
            writer.write(entry)
            is_empty = False
        if follow:
            newer = _followed(found, max(start_seq, end_seq + 1), writer)
            for entry in _selected(newer, selection):
                writer.write(entry)
        writer.end()
    named = [*pod, *container]
    if is_empty and named and not follow and tail != 0:
        sys.stderr.write(visible(f"no record is about {' or '.join(named)}, as selected") + "\n")
        return found.status(exit_codes.NO_ANSWER)
    return found.status(exit_codes.OK)


def _numbers_are_lines(
    k8s_namespaces: Sequence[str], tail: int | None
) -> tuple[Sequence[str], int | None]:
    """What -n meant in 0.1: a number of lines. No namespace is taken for one if --tail is given."""
    if len(k8s_namespaces) != 1 or not k8s_namespaces[0].isdecimal() or tail is not None:
        return k8s_namespaces, tail
    count = k8s_namespaces[0]
    sys.stderr.write(f"hint: the newest {count} are --tail {count}; -n is a Kubernetes namespace\n")
    return (), int(count)


def _behind(ledger: str, text: str) -> int:
    """The number of the first entry behind the cursor `text`."""
    try:
        cursor = cursors.parse(text)
    except cursors.NotACursorError as error:
        hint = "The number of the last entry that was read, and the SHA-256 of its line."
        raise WrongUsageError(f"--cursor: {error}", hint=hint) from error
    cursors.check(ledger, cursor)
    return cursor.seq + 1


def _listed(
    found: Reading, selection: Selection, span: range, *, newest: int | None, reverse: bool
) -> Iterable[Entry]:
    """What is selected of the entries in `span`, in constant memory.

    Of the newest only, the first is looked for from the end, and read from there. With an index,
    only the entries of the pods, or the stretches of the time, that are asked for are read.
    """
    about = _about(found, selection, span)
    if about is not None:
        chosen = _selected(about, selection)
        if newest is not None:
            chosen = iter(deque(chosen, maxlen=newest))
        return reversed(list(chosen)) if reverse else chosen
    if reverse:
        return itertools.islice(_selected(_backwards(found, span), selection), newest)
    start_seq = span.start
    if newest is not None:
        last = itertools.islice(_selected(_backwards(found, span), selection), newest)
        first = deque(last, maxlen=1)
        if not first:
            return ()
        start_seq = first[0].seq
    elif start_seq == 1 and (selection.since_ns, selection.until_ns) != (None, None):
        stretches = found.ask_if_indexed(partial(_in_time, selection))
        if stretches is not None:
            chained = itertools.chain.from_iterable(map(found.followed, stretches))
            return _selected(_within(chained, span), selection)
    forwards = found.followed(entries(found.ledger, start_seq, damaged=found.met))
    return _selected(_within(forwards, span), selection)


def _in_time(selection: Selection, records: Records) -> list[Iterator[Entry]]:
    return list(records.stretches(selection.since_ns, selection.until_ns))


def _about(found: Reading, selection: Selection, span: range) -> Iterator[Entry] | None:
    """The entries of the pods that are asked for; None without an index, or if none are."""
    if not selection.pods:
        return None
    entries_ = found.ask_if_indexed(lambda records: list(records.about(selection.pods)))
    return None if entries_ is None else _within(iter(entries_), span)


def _within(found: Iterable[Entry], span: range) -> Iterator[Entry]:
    begun = itertools.dropwhile(lambda entry: entry.seq < span.start, found)
    return itertools.takewhile(lambda entry: entry.seq < span.stop, begun)


def _backwards(found: Reading, span: range) -> Iterator[Entry]:
    backwards = entries_backwards(found.ledger, damaged=found.met)
    known = itertools.dropwhile(lambda entry: entry.seq >= span.stop, backwards)
    checked = found.followed(known, backwards=True)
    return itertools.takewhile(lambda entry: entry.seq >= span.start, checked)


def _selected(found: Iterable[Entry], selection: Selection) -> Iterator[Entry]:
    if selection.everything:
        yield from found
        return
    for entry in found:
        if selection.may_take(entry.line) and selection.takes(decode(entry.line)):
            yield entry


def _along(ledger: str, path: str, after_seq: int) -> CheckpointsAlong:
    id_ = ledger_id(ledger)
    if id_ is None:
        raise WrongUsageError("--checkpoints: found no id in the ledger, needed its beginning")
    with reading_checkpoints():
        return CheckpointsAlong(path, ledger_id=id_, after_seq=after_seq)


def _followed(found: Reading, start_seq: int, writer: LogWriter) -> Iterator[Entry]:
    def wait() -> bool:
        writer.pause()
        time.sleep(_LOOK_AGAIN_S)
        return True

    return follow(found.ledger, start_seq, wait=wait, damaged=found.met)


command = click.Command(
    "log",
    callback=run,
    help=_HELP,
    epilog=options.epilog(
        "nsledger log --since 1h",
        "nsledger log -f --event gap --event 'container.*'",
        "nsledger log --pod default/web -o wide",
        "nsledger log --since yesterday --until today --source oci_hook",
        "nsledger log --tail 1 -o jsonl",
        "nsledger log -o jsonl | sha256sum",
        "nsledger log -o jsonl --cursor 0:$(printf %064d 0)",
        "nsledger log -o jsonl --checkpoints checkpoints",
        more=IN_HELP,
    ),
    params=[
        click.Option(["--since"], type=MomentType(), help="Only what was recorded then or later."),
        click.Option(["--until"], type=MomentType(), help="Only what was recorded before then."),
        click.Option(
            ["--tail", "--lines", "tail"],
            type=click.IntRange(min=0),
            metavar="N",
            help="Only the newest N of what is selected.",
        ),
        click.Option(["-r", "--reverse"], is_flag=True, help="Newest first."),
        click.Option(
            ["-f", "--follow"], is_flag=True, help="Go on with what is recorded from now on."
        ),
        click.Option(
            ["--cursor"],
            metavar="SEQ:HASH",
            help=(
                "Only what comes after the entry of that number, whose line has that SHA-256: an "
                "error if the ledger was replaced, or no longer has what comes next."
            ),
        ),
        click.Option(
            ["--checkpoints"],
            metavar="FILE",
            help="Put these checkpoints between the lines: the daemon's checkpoint_file.",
        ),
        options.k8s_namespaces(),
        options.all_k8s_namespaces(),
        options.selector(),
        click.Option(
            ["--pod"],
            multiple=True,
            shell_complete=options.complete_pods,
            metavar="POD",
            help="Only of this pod: name, k8s_namespace/name, uid, id prefix, or a shell pattern.",
        ),
        click.Option(
            ["--container"],
            multiple=True,
            metavar="NAME",
            help="Only of this container: name, id prefix, or a shell pattern.",
        ),
        click.Option(
            ["--event"], multiple=True, metavar="NAME", help="Only this event, or a shell pattern."
        ),
        click.Option(
            ["--source"],
            multiple=True,
            type=click.Choice(_SOURCES),
            help="Only what this witness saw.",
        ),
        options.output(("table", "wide", "json", "jsonl", "yaml")),
        options.utc(),
        options.color(),
        options.ledger(),
    ],
)
