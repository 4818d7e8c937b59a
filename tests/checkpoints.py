"""Checkpoints for tests: signed by a key that is made where it is missing."""

from __future__ import annotations

from pathlib import Path

from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.checkpoint_key import SigningKey, generate
from nsledger.ledger.line import Head
from nsledger.ledger.reader import entries_backwards, ledger_id

LEDGER_ID = "3f" * 16
TIME = "2026-11-24T00:03:50.123456789Z"


def key(path: Path) -> SigningKey:
    """The private key at `path`."""
    if not path.exists():
        generate(str(path))
    return SigningKey.load(str(path))


def checkpoint(head: Head, by: SigningKey, *, of: str = LEDGER_ID, time: str = TIME) -> Checkpoint:
    """A signed one."""
    return by.sign(Checkpoint(ledger_id=of, head=head, time=time, key_id=""))


def sign_end(ledger: Path, file: Path, key_path: Path) -> Checkpoint:
    """Add a checkpoint of where the ledger ends now to `file`."""
    last = next(entries_backwards(str(ledger)))
    signed = checkpoint(last.head, key(key_path), of=ledger_id(str(ledger)) or LEDGER_ID)
    checkpoint_file.append(str(file), signed)
    return signed
