"""Verify a ledger of nsledger without nsledger: for auditors who want to read what convicts.

    python3 verify_ledger.py LEDGER [CHECKPOINTS [PUBLIC_KEY]]

LEDGER is a ledger's directory. Needs Python 3.9; `zstd` for segments that end in .zst; `openssl` 3
for PUBLIC_KEY. Shares no code with nsledger. The rules, all of them:

* A segment is a regular file 00000000000000000001.jsonl, or that with .zst, named after its first
  entry. Compressed, it is one zstd frame that tells its size, or several with a table of them
  behind (zstd's seekable format), which fits.
* An entry is a line of JSON (RFC 8259) in UTF-8, at most 1 MiB and 128 bytes long and 64 levels
  deep, that opens with {"seq":N,"prev":"H", and ends with }, where N is one more than in the line
  before and H the SHA-256 of the line before, newline included (64 zeros before entry 1).
* pruned.json, if it is there, names the first entry that was kept; an entry with the event
  ledger.pruned has to say the same, and if there are checkpoints, one has to be at it or behind it.
* A checkpoint is a line `nsledger-checkpoint-v1 LEDGER_ID SEQ HASH TIME KEY_ID SIGNATURE`: HASH is
  the SHA-256 of the line of entry SEQ, SIGNATURE the Ed25519 of all before its space, in base64.
  In JSON lines, such as a log's, it stands under the key `checkpoint`. A last line that was torn
  does not count.

Prints one line. Exit status: 0 sound, 1 damaged, 3 cannot tell. `unattested` are entries that the
daemon found and could not vouch for, `moved aside` those that it took out after a crash.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

NAME = re.compile(r"([0-9]{20})\.jsonl(\.zst)?").fullmatch
OPENING = re.compile(rb'\{"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",(?=")').match
CHECKPOINT = re.compile(
    r"(nsledger-checkpoint-v1 ([0-9a-f]{32}) ([1-9][0-9]{0,18}) ([0-9a-f]{64})"
    r" [0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,18}Z [0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n?"
).fullmatch
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
LINE_BYTES, DEPTH, FRAME_BYTES, LARGEST = (1 << 20) + 128, 64, 1 << 24, 2**63 - 1
GENESIS = (0, "0" * 64)


class Damaged(Exception):
    """Entry `seq` is not what was written; `trusted` is the last that can be relied on."""

    def __init__(self, kind: str, seq: int, trusted: int, detail: str) -> None:
        super().__init__(f"damaged: {kind} at entry {seq}, trusted through {trusted}: {detail}")


def decoded(data: bytes, size: int, depth: int) -> Any:
    """The value of JSON within these limits; ValueError if it is none."""
    if len(data) > size:
        raise ValueError(f"{len(data)} bytes are too long")
    level = 0
    for bracket in re.findall(rb"[\[{\]}]", TEXT.sub(b"", data)):
        level = level + 1 if bracket in b"[{" else max(0, level - 1)
        if level > depth:
            raise ValueError("it is nested too deep")

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    def whole(digits: str) -> Any:
        return int(digits) if len(digits) < 20 else float("inf")  # no number of ours

    value = json.loads(data.decode(), parse_constant=refuse, parse_int=whole)
    if b"\\u" in data:
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is no text
    return value


def regular(path: str, what: str) -> None:
    """Refuse what has the name of a file and is none."""
    if not stat.S_ISREG(os.lstat(path).st_mode):
        raise ValueError(f"{what} is no regular file")


def header(count: int) -> bytes:
    """How the table of `count` frames begins."""
    return struct.pack("<II", 0x184D2A5E, 8 * count + 9)


def frames(path: str) -> list[tuple[int, int]]:
    """Where each frame of a compressed segment begins and ends; ValueError if not whole."""
    found: list[tuple[int, int, int]] = []
    with open(path, "rb") as file:

        def read(at: int, size: int) -> bytes:
            file.seek(at)
            data = file.read(size)
            if len(data) < size:
                raise ValueError(f"{path} is cut off")
            return data

        def number(at: int, size: int) -> int:
            return int.from_bytes(read(at, size), "little")

        at, end = 0, os.fstat(file.fileno()).st_size
        table = end >= 17 and number(end - 4, 4) == 0x8F92EAB1
        count = number(end - 9, 4) if table else 0
        stop = end - (17 + 8 * count if table else 0)
        while at < stop if count else not found:
            begin, flags = at, number(at + 4, 1)
            if number(at, 4) != 0xFD2FB528:
                raise ValueError(f"{path} has no zstd frame at {at}")
            single, sizes = flags >> 5 & 1, (1 if flags >> 5 & 1 else 0, 2, 4, 8)
            width, at = sizes[flags >> 6], at + 5 + (not single) + (0, 1, 2, 4)[flags & 3]
            if not width:
                raise ValueError(f"{path} has a frame that does not tell its size")
            holds, at = number(at, width) + (256 if width == 2 else 0), at + width
            block = 0
            while not block & 1:
                block = number(at, 3)
                at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
            at += 4 if flags & 4 else 0
            found.append((begin, at, holds))
        told = [(at - begin, holds) for begin, at, holds in found]
        rows = [(number(stop + 8 + 8 * n, 4), number(stop + 12 + 8 * n, 4)) for n in range(count)]
        fits = at == stop and (not table or told == rows)
        if table:  # its header, and no checksums in it
            fits = fits and not number(end - 5, 1) and read(stop, 8) == header(count)
        if not fits:
            raise ValueError(f"{path} is no whole frame, or has a table that does not fit")
        if count and max(holds for _, _, holds in found) > FRAME_BYTES:
            raise ValueError(f"{path} has a frame that is too large")
    return [(begin, at) for begin, at, _ in found]


def pieces(path: str) -> Iterator[bytes]:
    """The bytes of a segment as they were written; a frame that is damaged gives none."""
    regular(path, path)
    if not path.endswith(".zst"):
        with open(path, "rb") as file:
            while piece := file.read(1 << 20):
                yield piece
        return
    for begin, end in frames(path):
        with open(path, "rb") as file:
            file.seek(begin)
            done = subprocess.run(
                ["zstd", "-dcq"], input=file.read(end - begin), capture_output=True
            )
        if done.returncode:
            raise ValueError(f"{path} has a damaged frame at {begin}")
        yield done.stdout


def lines(path: str) -> Iterator[bytes]:
    """The lines of a segment with their newlines, which the last one may lack."""
    rest = b""
    for piece in pieces(path):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > LINE_BYTES:
            raise ValueError("a line is too long")
    if rest:
        yield rest


def why_not(line: bytes, seq: int, digest: str) -> tuple[str, str] | None:
    """How `line` fails to be entry `seq` behind a line with `digest`; None if it is."""
    opening = OPENING(line)
    if opening is None or not line.endswith(b"}\n") or len(line) > LINE_BYTES:
        return "not_an_entry", repr(line[:60])
    if int(opening[1]) != seq:
        kind = "missing" if int(opening[1]) > seq else "repeated"
        return kind, f"found entry {int(opening[1])} in its place"
    if opening[2].decode() != digest:
        return "broken_link", "prev is not the hash of the line before"
    try:
        decoded(line, LINE_BYTES, DEPTH)
    except ValueError as error:
        return "not_an_entry", str(error)
    return None


def whole_number(value: Any, least: int) -> bool:
    """Whether `value` is an integer that an entry's number, or a count of entries, can be."""
    return type(value) is int and least <= value <= LARGEST


def beginning(ledger: str) -> tuple[tuple[int, str], str]:
    """What the first entry that was kept follows, and the ledger's id, by pruned.json."""
    path = os.path.join(ledger, "pruned.json")
    if not os.path.lexists(path):
        return GENESIS, ""
    try:
        regular(path, "pruned.json")
        with open(path, "rb") as file:
            told = decoded(file.read(4097), 4096, 4)
        texts = [told["prev"], told["time"], told["rule"], told.get("ledger_id", "")]
        fits = whole_number(told["first_seq"], 2) and whole_number(told["from_seq"], 1)
        if not fits or told.get("v", 1) != 1 or type(told.get("v", 1)) is not int:
            raise ValueError("its numbers are none")
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("its texts are none")
        if not re.fullmatch("[0-9a-f]{64}", texts[0]):
            raise ValueError("its prev is no hash")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Damaged("missing", 1, 0, f"pruned.json says nothing: {error}") from error
    return (told["first_seq"] - 1, texts[0]), texts[3]


def verify(ledger: str, checkpoints: list[tuple[str, int, str]]) -> str:
    """Follow the chain from its beginning to its end, and hold it against what was signed."""
    names = filter(NAME, sorted(os.listdir(ledger), reverse=True))  # of two, the plain one stays
    segments = {int(name[:20]): os.path.join(ledger, name) for name in names}
    if not segments:
        raise OSError(f"{ledger} has no segments")
    begins, ledger_id = beginning(ledger)
    segments = {first: path for first, path in segments.items() if first > begins[0]}
    if not segments:
        raise OSError(f"{ledger} has no segments that were kept")
    (seq, digest), trusted, rest = begins, 0, b""
    declared: dict[tuple[int, str], int] = {}
    notes: list[str] = []
    signed: dict[int, set[str]] = {}
    signed_ids = {of for of, _, _ in checkpoints}
    for _, of_seq, hashed in checkpoints:
        signed.setdefault(of_seq, set()).add(hashed)

    def compare() -> None:
        nonlocal trusted
        if signed.get(seq, {digest}) != {digest}:
            raise Damaged("rewritten", min(trusted + 1, seq), min(trusted, seq - 1), f"entry {seq}")
        trusted = seq if seq in signed else trusted

    compare()
    for first, path in sorted(segments.items()):
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
                about = seq == 1 or b'"event":"ledger.' in line
                told = decoded(line, LINE_BYTES, DEPTH) if about else {}
                if seq == 1 and isinstance(told.get("ledger_id", ""), str):
                    ledger_id = told.get("ledger_id", "")
                if seq == begins[0] + 1 and ledger_id and signed_ids - {ledger_id}:
                    raise Damaged("foreign", 1, 0, f"this is ledger {ledger_id}")
                through, last = told.get("through_seq"), told.get("digest")
                tells = isinstance(last, str) and whole_number(through, 0)
                if told.get("event") == "ledger.pruned" and tells:
                    declared.setdefault((through, last), seq)
                if told.get("event") == "ledger.unattested":
                    notes.append(f"unattested {told.get('from_seq')} to {through}")
                if told.get("event") == "ledger.recovered" and through:
                    notes.append(f"moved aside {told.get('from_seq')} to {through}")
                compare()
        except ValueError as error:
            raise Damaged("not_an_entry", seq + 1, max(0, seq - 1, trusted), str(error)) from error
    if begins != GENESIS and declared.get(begins, LARGEST) > (trusted if checkpoints else seq):
        detail = "no ledger.pruned record says what pruned.json says, or none that was signed"
        raise Damaged("missing", 1, 0, detail)
    if max(signed, default=0) > seq:
        raise Damaged("truncated", seq + 1, trusted, f"entry {max(signed)} was signed")
    if checkpoints and not any(begins[0] <= of_seq <= seq for of_seq in signed):
        raise ValueError("no checkpoint is of an entry that is here")
    return "; ".join([f"sound: {seq} {digest}, signed through {trusted}", *notes])


def read_checkpoints(path: str, key: str) -> list[tuple[str, int, str]]:
    """Ledger, entry and hash of each checkpoint; refuses one that `key`, if given, did not sign."""
    found = []
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError(f"{path} is no regular file")
    with open(path, "rb") as file, tempfile.TemporaryDirectory() as scratch:
        for line in iter(lambda: file.readline((1 << 20) + 1), b""):
            try:
                if len(line) > 1 << 20:
                    raise ValueError("a line is too long")
                text = line.decode("ascii", "backslashreplace")
                if line.startswith(b"{"):
                    text = decoded(line, 1 << 20, DEPTH).get("checkpoint", "")
                    if not isinstance(text, str):
                        raise ValueError("its checkpoint is no text")
                told = CHECKPOINT(text)
                if text and told is None:
                    raise ValueError(f"no checkpoint: {text[:60]!r}")
            except ValueError:
                if found and not line.endswith(b"\n"):
                    break  # it is being written
                raise
            if not text:
                continue
            message, signed = os.path.join(scratch, "message"), os.path.join(scratch, "signature")
            for part, data in (message, told[1].encode()), (signed, base64.b64decode(told[5])):
                with open(part, "wb") as out:
                    out.write(data)
            check = f"openssl pkeyutl -verify -rawin -in {message} -sigfile {signed} -pubin -inkey"
            if key and subprocess.run([*check.split(), key], stdout=subprocess.DEVNULL).returncode:
                raise ValueError(f"not signed by {key}: {text!r}")
            found.append((told[2], int(told[3]), told[4]))
    if not found:
        raise ValueError(f"{path} has no checkpoint")
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
