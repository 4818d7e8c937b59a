"""Where a ledger begins since its oldest segments were removed: `pruned.json`.

The file only repeats what a `ledger.pruned` record says, which is in the chain and comes before the
removal; so whoever verifies need not believe it. It is there for the readers, who would otherwise
have to read the whole ledger to know where it begins.
"""

from __future__ import annotations

import contextlib
import os
from typing import Annotated, Literal

import msgspec

from nsledger import bounds
from nsledger.ledger import files, layout
from nsledger.ledger.errors import LedgerError
from nsledger.ledger.line import Head


class PrunedFileError(LedgerError):
    """`pruned.json` is there and says nothing: nobody knows what the first segment follows."""

    hint = (
        "The newest `ledger.pruned` record has the same facts; without the file, the ledger is "
        "read as if its first segments were missing."
    )

    def __init__(self, *, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}, needed where the ledger begins")
        self.path = path


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """The newest removal of segments."""

    v: Literal[1] = 1
    first_seq: Annotated[int, msgspec.Meta(ge=2, le=2**63 - 1)]
    """The first entry that was kept; a segment begins with it."""
    prev: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """SHA-256 of the line before it, which was removed."""
    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    """The first entry of this removal; the last is `first_seq - 1`. Older ones went before."""
    time: str
    """RFC 3339: when it was decided."""
    rule: str
    """By which rule: `max_age`, `max_bytes` or `disk`."""
    ledger_id: str = ""
    """As in the ledger's first record, which is gone."""

    @property
    def before(self) -> Head:
        """What the first kept entry follows."""
        return Head(seq=self.first_seq - 1, digest=self.prev)


def load(directory: str) -> Pruned | None:
    """What the ledger in `directory` says about its beginning; None if it was never pruned.

    Raises:
        PrunedFileError: the file is there and cannot be understood.
        OSError: it cannot be read.
    """
    path = os.path.join(directory, layout.PRUNED_NAME)
    try:
        data = files.read_file(path, bounds.PRUNED_BYTES, follow_links=False)
        bounds.check(data, most_bytes=bounds.PRUNED_BYTES, depth=bounds.PRUNED_DEPTH)
        return msgspec.json.decode(data, type=Pruned)
    except FileNotFoundError:
        return None
    except files.NotARegularFileError as error:
        raise PrunedFileError(path=path, reason="found no regular file") from error
    except (msgspec.DecodeError, UnicodeDecodeError, bounds.OutOfBoundsError) as error:
        raise PrunedFileError(path=path, reason=str(error)) from error


def save(directory: str, pruned: Pruned) -> None:
    """`pruned` is what readers find from now on, also after a power cut.

    Raises:
        OSError: it is not, and what was there before still is.
    """
    files.replace_file(
        os.path.join(directory, layout.PRUNED_NAME),
        msgspec.json.encode(pruned) + b"\n",
        layout.FILE_MODE,
    )


def remove_pruned(directory: str) -> None:
    """Remove what the ledger in `directory` says is removed, the oldest segments first.

    Raises:
        OSError: some are still there. Readers pass over them, and it may be tried again.
    """
    pruned = load(directory)
    if pruned is None:
        return
    names = os.listdir(directory)
    gone = [seq for seq in layout.first_seqs(names) if seq < pruned.first_seq]
    for seq in gone:
        for name in (layout.segment_name(seq), layout.compressed_name(seq)):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(directory, name))
    if gone:
        files.sync_directory(directory)
