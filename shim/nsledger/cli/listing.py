"""What `nsledger log` does: reads forwards, backwards or on and on, selects, and writes."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from nsledger.cli import exit_codes
from nsledger.cli.formats import LogFormat, log_writer
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.selection import Selection
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.domain.events import Source
from nsledger.domain.record import decode
from nsledger.ledger.backwards import entries_backwards
from nsledger.ledger.entry import Entry
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
    writer = log_writer(output, screen(color=color, utc=utc))
    last = next(entries_backwards(ledger), None)
    end_seq = 0 if last is None else last.seq
    writer.begin()
    for entry in _listed(ledger, selection, end_seq, newest=lines, reverse=reverse):
        writer.write(entry)
    if follow:
        for entry in _selected(_followed(ledger, end_seq + 1), selection):
            writer.write(entry)
    writer.end()
    return exit_codes.OK


def _listed(
    ledger: str, selection: Selection, end_seq: int, *, newest: int | None, reverse: bool
) -> Iterable[Entry]:
    """What is selected up to `end_seq`; reads from the end if only the newest are wanted."""
    if newest is None and not reverse:
        until_end = itertools.takewhile(lambda entry: entry.seq <= end_seq, entries(ledger))
        return _selected(until_end, selection)
    backwards = itertools.dropwhile(lambda entry: entry.seq > end_seq, entries_backwards(ledger))
    found = itertools.islice(_selected(backwards, selection), newest)
    return found if reverse else reversed(list(found))


def _selected(found: Iterable[Entry], selection: Selection) -> Iterator[Entry]:
    if selection.everything:
        yield from found
        return
    for entry in found:
        if selection.takes(decode(entry.line)):
            yield entry


def _followed(ledger: str, start_seq: int) -> Iterator[Entry]:
    def wait() -> bool:
        sys.stdout.flush()
        time.sleep(_LOOK_AGAIN_S)
        return True

    return follow(ledger, start_seq, wait=wait)
