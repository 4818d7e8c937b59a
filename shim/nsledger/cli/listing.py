"""What `nsledger log` does: reads forwards, backwards or on and on, selects, and writes."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from nsledger.cli import exit_codes
from nsledger.cli.checkpoints_along import CheckpointsAlong
from nsledger.cli.failure import WrongUsageError
from nsledger.cli.formats import LogFormat, LogWriter, log_writer
from nsledger.cli.reading import reading_a_ledger, reading_checkpoints
from nsledger.cli.selection import Selection
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.events import Source
from nsledger.domain.record import decode
from nsledger.ledger import cursor as cursors
from nsledger.ledger.backwards import entries_backwards
from nsledger.ledger.entry import Entry
from nsledger.ledger.identity import ledger_id
from nsledger.ledger.reader import entries, follow

_LOOK_AGAIN_S: Final = 0.2


@reading_a_ledger()
def listing(
    *,
    ledger: str,
    since: int | None,
    until: int | None,
    lines: int | None,
    reverse: bool,
    follow: bool,
    cursor: str | None,
    checkpoints: str | None,
    pod: Sequence[str],
    container: Sequence[str],
    event: Sequence[str],
    source: Sequence[str],
    output: LogFormat,
    utc: bool,
    color: ColorChoice,
) -> int:
    """List the ledger at `ledger`; the exit status."""
    selection = Selection(
        since_ns=since,
        until_ns=until,
        pods=pod,
        containers=container,
        events=event,
        sources=tuple(Source(one) for one in source),
    )
    start_seq = 1 if cursor is None else _behind(ledger, cursor)
    along = None if checkpoints is None else _along(ledger, checkpoints, start_seq - 1)
    writer = log_writer(output, screen(color=color, utc=utc), along)
    last = next(entries_backwards(ledger), None)
    end_seq = 0 if last is None else last.seq
    writer.begin()
    span = range(start_seq, end_seq + 1)
    for entry in _listed(ledger, selection, span, newest=lines, reverse=reverse):
        writer.write(entry)
    if follow:
        newer = _followed(ledger, max(start_seq, end_seq + 1), writer)
        for entry in _selected(newer, selection):
            writer.write(entry)
    writer.end()
    return exit_codes.OK


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
    ledger: str, selection: Selection, span: range, *, newest: int | None, reverse: bool
) -> Iterable[Entry]:
    """What is selected of the entries in `span`, in constant memory.

    Of the newest only, the first is looked for from the end, and read from there.
    """
    if reverse:
        return itertools.islice(_selected(_backwards(ledger, span), selection), newest)
    start_seq = span.start
    if newest is not None:
        found = itertools.islice(_selected(_backwards(ledger, span), selection), newest)
        first = deque(found, maxlen=1)
        if not first:
            return ()
        start_seq = first[0].seq
    forwards = entries(ledger, start_seq)
    return _selected(itertools.takewhile(lambda entry: entry.seq < span.stop, forwards), selection)


def _backwards(ledger: str, span: range) -> Iterator[Entry]:
    known = itertools.dropwhile(lambda entry: entry.seq >= span.stop, entries_backwards(ledger))
    return itertools.takewhile(lambda entry: entry.seq >= span.start, known)


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


def _followed(ledger: str, start_seq: int, writer: LogWriter) -> Iterator[Entry]:
    def wait() -> bool:
        writer.pause()
        time.sleep(_LOOK_AGAIN_S)
        return True

    return follow(ledger, start_seq, wait=wait)
