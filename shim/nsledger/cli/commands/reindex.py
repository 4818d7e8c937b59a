"""`nsledger reindex`: build the index anew that answers whois."""

from __future__ import annotations

import os
import sys
import time
from typing import Final

import click

from nsledger.cli import errors, exit_codes, options
from nsledger.cli.reading import DamagedLedgerError, progress, reading_a_ledger
from nsledger.errors import WrongUsageError
from nsledger.index import lock
from nsledger.index.opening import NAME, reading
from nsledger.index.store import mark
from nsledger.ledger import place
from nsledger.ledger.reader import entries_backwards

_HELP = """\
Build the index of the ledger anew.

The index is what makes whois quick. It can be deleted at any time: nsledger serve keeps one in the
ledger's directory, and a reader without one builds its own. An answer is always made from the
ledger's entries, read and hashed again; the index only tells which of them count.

While nsledger serve runs, it is told to begin again, and the progress shown is its own.
"""


_LOOK_AGAIN_S: Final = 0.2


@reading_a_ledger()
def run(*, ledger: str) -> int:
    """Index the ledger in the directory `ledger` anew; the exit status."""
    place.find(ledger)
    if not os.path.isdir(ledger):
        raise WrongUsageError(
            f"{ledger}: found a segment, needed a ledger's directory",
            hint="An index of a lone segment is built by its reader, and not kept with it.",
        )
    began_s = time.monotonic()
    damage = ""
    try:
        with lock.locked(ledger) as path, progress(ledger, "indexing") as told:
            reached = lock.rebuild(path, ledger, progress=told)
        seq, damage = reached.seq, reached.damage
    except BlockingIOError:
        seq = _by_the_daemon(ledger)
    took_s = time.monotonic() - began_s
    sys.stdout.write(f"{os.path.join(ledger, NAME)}: {seq} entries in {took_s:.1f} s\n")
    if damage:
        errors.report(DamagedLedgerError(damage=damage))
        return exit_codes.FOUND
    return exit_codes.OK


def _by_the_daemon(ledger: str) -> int:
    """Take the index away from the process that keeps it, which makes a new one."""
    last = next(entries_backwards(ledger, damaged=lambda _: None), None)
    wanted = 0 if last is None else last.seq
    path = os.path.join(ledger, NAME)
    lock.drop(path)
    sys.stderr.write("nsledger: another process keeps the index and builds it anew\n")
    with progress(ledger, "indexing") as told:
        reached = 0
        size_bytes = place.find(ledger).size_bytes
        while reached < wanted:
            time.sleep(_LOOK_AGAIN_S)
            before, reached = reached, _reached(path)
            if told is not None and wanted:
                told((reached - before) * size_bytes // wanted)
    return reached


def _reached(path: str) -> int:
    database = reading(path)
    if database is None:
        return 0
    try:
        found = mark(database)
    finally:
        database.close()
    return 0 if found is None else found.seq


command = click.Command(
    "reindex",
    callback=run,
    help=_HELP,
    epilog=options.epilog("nsledger reindex"),
    params=[options.ledger()],
)
