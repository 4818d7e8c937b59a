"""The processes that the fault tests starve and kill: writers of a ledger.

    appender.py once DIRECTORY      open, twice append three records and sync, close
    appender.py closing DIRECTORY   the same, closing the segment behind each, and compress them
    appender.py nursery DIRECTORY   for each number on stdin, a child that records events from it
                                    on until it is killed; forked, because imports take long

A writer says on stdout what is safe by then: `appended N` in the ledger, `synced N` on the disk.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

from nsledger.ledger.errors import LedgerError
from nsledger.ledger.writer import LedgerWriter

BATCHES = [[100, 101, 102], [103, 104, 105]]
"""The numbers that `once` records."""
SEGMENT_BYTES = 20_000
"""Small, so that a writer is killed while it closes a segment, or compresses one, as well."""


def say(*words: object) -> None:
    """One line, in one write."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def tried(step: Callable[[], object]) -> bool:
    """Whether the step succeeded; what went wrong is said."""
    try:
        step()
    except (OSError, LedgerError) as error:
        say("failed", type(error).__name__, error)
        return False
    return True


def once(directory: str) -> None:
    try:
        writer = LedgerWriter.open(directory)
    except (OSError, LedgerError) as error:
        say("failed", type(error).__name__, error)
        return
    for batch in BATCHES:
        records = [b'{"number":%d}' % number for number in batch]
        steps = (("appended", partial(writer.append, records)), ("synced", writer.sync))
        for outcome, step in steps:
            if not tried(step):
                break
            for number in batch:
                say(outcome, number)
    tried(writer.close)


def closing(directory: str) -> None:
    """Append, close the segment, append behind it, and compress what is closed."""
    try:
        writer = LedgerWriter.open(directory)
    except (OSError, LedgerError) as error:
        say("failed", type(error).__name__, error)
        return
    for batch in BATCHES:
        records = [b'{"number":%d}' % number for number in batch]
        if tried(partial(writer.append, records)) and tried(writer.sync):
            for number in batch:
                say("synced", number)
        tried(writer.rotate)
    tried(partial(clear_unfinished, directory))
    tried(
        lambda: [compress(directory, name, called_off=bool) for name in closed_segments(directory)]
    )
    tried(writer.close)


def nursery(directory: str) -> None:
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            forever(directory, int(line))
        say("born", pid)
        os.waitpid(pid, 0)
        say("buried", pid)


def forever(directory: str, number: int) -> None:
    recorder = Recorder(
        lambda: LedgerWriter.open(directory),
        now=recording.now,
        new_ledger_id=lambda: recording.LEDGER_ID,
        sync_interval_s=0.005,
        limits=WriterLimits(rotation=RotationLimits(max_bytes=SEGMENT_BYTES)),
    )
    recorder.start()
    maintenance = Maintenance(
        recorder,
        directory,
        limits=RetentionLimits(),
        prune_bytes=0,
        now=recording.now,
        interval_s=0.002,
    )
    maintenance.start()
    while True:
        sync = number % 10 == 0
        # Any event with a word will do, but the one with which a daemon ends in order.
        event = LedgerStopped(source=Source.DAEMON, reason=str(number), free_bytes=0)
        ticket = recorder.record(event, at=recording.now(), sync=sync)
        ticket.on_done(partial(say, "synced" if sync else "appended", number))
        if recorder.queue_depth > 50:
            ticket.wait(10)
        number += 1


if __name__ == "__main__":
    if sys.argv[1] == "once":
        once(sys.argv[2])
    elif sys.argv[1] == "closing":
        from nsledger.ledger.compression import clear_unfinished, closed_segments, compress

        closing(sys.argv[2])
    else:
        from nsledger.model.events import LedgerStopped, Source
        from nsledger.recorder.disk_gate import WriterLimits
        from nsledger.recorder.maintenance import Maintenance
        from nsledger.recorder.recorder import Recorder
        from nsledger.recorder.retention import RetentionLimits
        from nsledger.recorder.rotation import RotationLimits
        from tests import recording

        nursery(sys.argv[2])
