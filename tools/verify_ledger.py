"""Verify a ledger of nsledger without nsledger: for auditors who want to read what convicts.

    python3 verify_ledger.py LEDGER [CHECKPOINTS [PUBLIC_KEY]]

LEDGER is a ledger's directory. Needs Python 3.9; `zstd` for segments that end in .zst; `openssl` 3
for PUBLIC_KEY. Shares no code with nsledger. The rules, all of them:

* A segment is a file 00000000000000000001.jsonl, or that with .zst, named after its first entry.
* An entry is a line of JSON that opens with {"seq":N,"prev":"H", where N is one more than in the
  line before and H the SHA-256 of the line before, newline included (64 zeros before entry 1).
* pruned.json, if it is there, names the first entry that was kept; an entry with the event
  ledger.pruned has to say the same.
* A checkpoint is a line `nsledger-checkpoint-v1 LEDGER_ID SEQ HASH TIME KEY_ID SIGNATURE`: HASH is
  the SHA-256 of the line of entry SEQ, SIGNATURE the Ed25519 of all before its space, in base64.

Prints one line. Exit status: 0 sound, 1 damaged, 3 cannot tell.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator

NAME = re.compile(r"([0-9]{20})\.jsonl(\.zst)?").fullmatch
OPENING = re.compile(rb'\{"seq":([1-9][0-9]{0,18}),"prev":"([0-9a-f]{64})",(?=")').match


class Damaged(Exception):
    """Entry `seq` is not what was written; `trusted` is the last that can be relied on."""

    def __init__(self, kind: str, seq: int, trusted: int, detail: str) -> None:
        super().__init__(f"damaged: {kind} at entry {seq}, trusted through {trusted}: {detail}")


def lines(path: str) -> Iterator[bytes]:
    """The lines of a segment with their newlines, which the last one may lack."""
    if not path.endswith(".zst"):
        with open(path, "rb") as file:
            yield from file
        return
    with subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE) as zstd:
        yield from zstd.stdout or ()
    if zstd.returncode:
        raise ValueError(f"{path} is no whole zstd frame")


def why_not(line: bytes, seq: int, digest: str) -> tuple[str, str] | None:
    """How `line` fails to be entry `seq` behind a line with `digest`; None if it is."""
    opening = OPENING(line)
    if opening is None or not line.endswith(b"}\n"):
        return "not_an_entry", repr(line[:60])
    if int(opening[1]) != seq:
        kind = "missing" if int(opening[1]) > seq else "repeated"
        return kind, f"found entry {int(opening[1])} in its place"
    if opening[2].decode() != digest:
        return "broken_link", "prev is not the hash of the line before"
    try:
        json.loads(line)
    except ValueError as error:
        return "not_an_entry", str(error)
    return None


def verify(ledger: str, checkpoints: list[tuple[str, int, str]]) -> str:
    """Follow the chain from its beginning to its end, and hold it against what was signed."""
    names = filter(NAME, sorted(os.listdir(ledger), reverse=True))  # of two, the plain one stays
    segments = {int(name[:20]): os.path.join(ledger, name) for name in names}
    if not segments:
        raise OSError(f"{ledger} has no segments")
    begins, declared, ledger_id = (0, "0" * 64), {(0, "0" * 64)}, ""
    if os.path.exists(os.path.join(ledger, "pruned.json")):
        with open(os.path.join(ledger, "pruned.json"), "rb") as file:
            pruned = json.load(file)
        begins, ledger_id = (pruned["first_seq"] - 1, pruned["prev"]), pruned["ledger_id"]
    (seq, digest), trusted, rest = begins, 0, b""
    signed: dict[int, set[str]] = {}
    signed_ids = {of for of, _, _ in checkpoints}
    for _, of_seq, hashed in checkpoints:
        signed.setdefault(of_seq, set()).add(hashed)
    for first, path in sorted(segments.items()):
        if first <= begins[0]:
            continue
        if rest or first != seq + 1:
            kind = "not_an_entry" if rest else "missing" if first > seq else "repeated"
            raise Damaged(kind, seq + 1, max(0, seq - 1, trusted), f"{path} is next")
        try:
            for line in lines(path):
                if not line.endswith(b"\n"):
                    rest = line  # being written, if nothing follows
                    break
                found = why_not(line, seq + 1, digest)
                if found:
                    raise Damaged(found[0], seq + 1, max(0, seq - 1, trusted), found[1])
                seq, digest = seq + 1, hashlib.sha256(line).hexdigest()
                ledger_id = json.loads(line).get("ledger_id") if seq == 1 else ledger_id
                if b'"event":"ledger.pruned"' in line:
                    told = json.loads(line)
                    declared.add((told["through_seq"], told["digest"]))
                if ledger_id and signed_ids - {ledger_id}:
                    raise Damaged("foreign", 1, 0, f"this is ledger {ledger_id}")
                if signed.get(seq, {digest}) != {digest}:
                    raise Damaged("rewritten", trusted + 1, trusted, f"entry {seq} was signed")
                trusted = seq if seq in signed else trusted
        except ValueError as error:
            raise Damaged("not_an_entry", seq + 1, max(0, seq - 1, trusted), str(error)) from error
    if begins not in declared:
        raise Damaged("missing", 1, 0, "no ledger.pruned record says what pruned.json says")
    if max(signed, default=0) > seq:
        raise Damaged("truncated", seq + 1, trusted, f"entry {max(signed)} was signed")
    return f"sound: {seq} {digest}, signed through {trusted}"


def read_checkpoints(path: str, key: str) -> list[tuple[str, int, str]]:
    """Ledger, entry and hash of each checkpoint; refuses one that `key`, if given, did not sign."""
    found = []
    with open(path, encoding="ascii") as file, tempfile.TemporaryDirectory() as scratch:
        for line in file:
            said, _, signature = line.rstrip("\n").rpartition(" ")
            name, ledger_id, seq, digest = said.split(" ")[:4]
            if name != "nsledger-checkpoint-v1":
                raise ValueError(f"no checkpoint: {line!r}")
            message, signed = os.path.join(scratch, "message"), os.path.join(scratch, "signature")
            for part, data in (message, said.encode()), (signed, base64.b64decode(signature)):
                with open(part, "wb") as out:
                    out.write(data)
            check = f"openssl pkeyutl -verify -rawin -in {message} -sigfile {signed} -pubin -inkey"
            if key and subprocess.run([*check.split(), key], stdout=subprocess.DEVNULL).returncode:
                raise ValueError(f"not signed by {key}: {line!r}")
            found.append((ledger_id, int(seq), digest))
    return found


if __name__ == "__main__":
    try:
        ledger, checkpoints, key = (*sys.argv[1:4], "", "", "")[:3]
        print(verify(ledger, read_checkpoints(checkpoints, key) if checkpoints else []))
    except Damaged as damage:
        print(damage)
        sys.exit(1)
    except (OSError, ValueError, KeyError) as error:
        print(f"cannot tell: {error}", file=sys.stderr)
        sys.exit(3)
