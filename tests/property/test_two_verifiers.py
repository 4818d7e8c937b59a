"""`nsledger verify` and tools/verify_ledger.py, which share no code, on ledgers of all shapes.

One verdict: sound or damaged or cannot tell, and of damage its kind, its place and what is left to
rely on. What is done to the ledger is drawn: bytes, lines, files, frames, and what is signed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from nsledger.errors import NsledgerError
from nsledger.ledger import checkpoint_file
from nsledger.ledger.checkpoint import Checkpoint
from nsledger.ledger.errors import LedgerDamagedError
from nsledger.ledger.line import GENESIS, MAX_LINE_BYTES, Entry, link
from nsledger.ledger.verify import verify
from tests import checkpoints, ledgers, tampering
from tests.tampering import TAMPERINGS

_SOURCE = Path(__file__).parents[2] / "tools" / "verify_ledger.py"


def _independent() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_ledger", _SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


INDEPENDENT = _independent()
Verdict = tuple[str, str, int, int]
Change = Callable[[bytes], bytes]


def ours(ledger: Path, signed: Path | None) -> Verdict:
    try:
        told = checkpoint_file.read(str(signed)) if signed else ()
        found = verify(str(ledger), checkpoints=told)
    except LedgerDamagedError as damage:
        return "damaged", str(damage.damage), damage.seq, damage.sound_through
    except (NsledgerError, OSError):
        return "cannot tell", "", 0, 0
    return "sound", found.head.digest, found.head.seq, found.signed_through


def theirs(ledger: Path, signed: Path | None) -> Verdict:
    try:
        told = INDEPENDENT.read_checkpoints(str(signed), "") if signed else []
        verdict = INDEPENDENT.verify(str(ledger), told)
    except INDEPENDENT.Damaged as damage:
        found = re.match(r"damaged: (\w+) at entry (\d+), trusted through (\d+)", str(damage))
        assert found is not None
        return "damaged", found[1], int(found[2]), int(found[3])
    except (OSError, ValueError, KeyError):
        return "cannot tell", "", 0, 0
    found = re.match(r"sound: (\d+) ([0-9a-f]{64}), signed through (\d+)", verdict)
    assert found is not None
    return "sound", found[2], int(found[1]), int(found[3])


def agree(ledger: Path, signed: Path | None = None) -> Verdict:
    """The one verdict of both."""
    verdict = ours(ledger, signed)
    assert theirs(ledger, signed) == verdict
    return verdict


def last_line(change: Change) -> Callable[[Path], None]:
    def apply(directory: Path) -> None:
        path = ledgers.segment(directory, 21)
        *before, line = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(before) + change(line))

    return apply


def with_field(field: bytes) -> Change:
    return lambda line: line[:-2] + b"," + field + b"}\n"


LAST_LINES: dict[str, Change] = {
    "CRLF": lambda line: line[:-1] + b"\r\n",
    "a blank behind it": lambda line: line[:-1] + b" \n",
    "a tab": lambda line: line[:-1] + b"\t\n",
    "a blank before it": lambda line: b" " + line,
    "an empty line": lambda line: line + b"\n",
    "two objects": lambda line: line[:-1] + b"{}\n",
    "NaN": with_field(b'"x":NaN'),
    "Infinity": with_field(b'"x":-Infinity'),
    "a lone surrogate": with_field(b'"x":"\\ud800"'),
    "a lone low surrogate": with_field(b'"x":"a\\udc00b"'),
    "a surrogate and a letter": with_field(b'"x":"\\ud800\\u0041"'),
    "a lone surrogate as a key": with_field(b'"\\udfff":1'),
    "a pair": with_field(b'"x":"\\ud83d\\ude00"'),
    "an escaped backslash": with_field(b'"x":"\\\\ud800"'),
    "a surrogate in UTF-8": with_field(b'"x":"\xed\xa0\x80"'),
    "no UTF-8": with_field(b'"x":"\xff"'),
    "an overlong NUL": with_field(b'"x":"\xc0\x80"'),
    "NUL": with_field(b'"x":"\0"'),
    "DEL": with_field(b'"x":"\x7f"'),
    "a line separator": with_field('"x":"\u2028"'.encode()),
    "a control character": with_field(b'"x":"\x01"'),
    "a bad escape": with_field(b'"x":"\\x41"'),
    "a short escape": with_field(b'"x":"\\u12"'),
    "5,000 digits": with_field(b'"x":' + b"9" * 5000),
    "5,000 decimals": with_field(b'"x":0.' + b"9" * 5000),
    "a large exponent": with_field(b'"x":1e999999'),
    "2**64": with_field(b'"x":18446744073709551616'),
    "a leading zero": with_field(b'"x":01'),
    "minus zero": with_field(b'"x":-0'),
    "a plus": with_field(b'"x":+1'),
    "a bare point": with_field(b'"x":1.'),
    "a comment": with_field(b'"x":1/**/'),
    "a trailing comma": with_field(b'"x":[1,]'),
    "single quotes": with_field(b"'x':1"),
    "a key twice": with_field(b'"seq":1'),
    "no value": with_field(b'"x"'),
    "64 levels": with_field(b'"x":' + b"[" * 63 + b"]" * 63),
    "65 levels": with_field(b'"x":' + b"[" * 64 + b"]" * 64),
    "1,500 levels": with_field(b'"x":' + b"[" * 1500 + b"]" * 1500),
    "brackets in text": with_field(b'"x":"' + b"[" * 1500 + b'\\""'),
    "2 MiB": with_field(b'"x":"' + b"x" * (2 << 20) + b'"'),
    "2 MiB without a newline": lambda line: line[:-2] + b"x" * (2 << 20),
    "no newline": lambda line: line[:-1],
    "a large number": lambda line: line.replace(b'"seq":30', b'"seq":9999999999999999999'),
    "another number": lambda line: line.replace(b'"seq":30', b'"seq":31'),
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("change", LAST_LINES.values(), ids=LAST_LINES)
def test_both_take_the_same_for_a_last_line(tmp_path: Path, change: Change) -> None:
    tampering.make(tmp_path / "ledger")
    last_line(change)(tmp_path / "ledger")

    agree(tmp_path / "ledger")


@pytest.mark.parametrize("more", [-1, 0, 1])
@pytest.mark.parametrize("ending", [b"\n", b""])
def test_both_take_a_line_of_the_same_length(tmp_path: Path, more: int, ending: bytes) -> None:
    (tmp_path / "ledger").mkdir()
    line, _ = link(GENESIS, [b'{"x":""}'])
    filler = b"x" * (MAX_LINE_BYTES + more - len(line) + (not ending))
    ledgers.replace(tmp_path / "ledger", [line[:-3] + filler + b'"}' + ending])

    verdict = agree(tmp_path / "ledger")

    assert verdict[0] == ("damaged" if more == 1 else "sound")


def _frame(data: bytes, *, checksum: bool = False) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=checksum).compress(data)


def _streamed(data: bytes) -> bytes:
    frame = zstandard.ZstdCompressor().compressobj()  # does not tell its size
    return frame.compress(data) + frame.flush()


FRAMES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "one frame": lambda plain, _: _frame(plain),
    "one with a checksum": lambda plain, _: _frame(plain, checksum=True),
    "one that is empty": lambda *_: _frame(b""),
    "two": lambda plain, _: _frame(plain[:99]) + _frame(plain[99:]),
    "one without its size": lambda plain, _: _streamed(plain),
    "a skippable one behind it": lambda plain, _: _frame(plain) + b"\x50\x2a\x4d\x18\x01\0\0\0x",
    "a skippable one before it": lambda plain, _: b"\x50\x2a\x4d\x18\x01\0\0\0x" + _frame(plain),
    "an empty table": lambda plain, _: (
        _frame(plain) + b"\x5e\x2a\x4d\x18\x09\0\0\0" + b"\0" * 5 + b"\xb1\xea\x92\x8f"
    ),
    "another frame behind its table": lambda _, packed: packed + _frame(b"x"),
    "a frame before its frames": lambda _, packed: _frame(b"x") + packed,
    "its table cut off": lambda _, packed: packed[:-25],
    "its table's header changed": lambda _, packed: packed[:-25] + b"\x5f" + packed[-24:],
    "its flags changed": lambda _, packed: packed[:-5] + b"\x80" + packed[-4:],
    "nothing": lambda *_: b"",
    "no zstd": lambda plain, _: plain,
    "only a magic": lambda *_: b"\x28\xb5\x2f\xfd",
    "only a footer": lambda *_: b"\0" * 13 + b"\xb1\xea\x92\x8f",
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_both_take_the_same_for_a_compressed_segment(
    tmp_path: Path, make: Callable[[bytes, bytes], bytes]
) -> None:
    ledger = tampering.make(tmp_path / "ledger")
    plain = ledgers.segment(ledger, 11).read_bytes()
    tampering.compress(ledger)
    path = ledger / "00000000000000000011.jsonl.zst"
    path.write_bytes(make(plain, path.read_bytes()))

    agree(ledger)


PRUNED = {
    "nothing": b"",
    "no object": b"[]",
    "no UTF-8": b"\xff",
    "deep": b"[" * 2000,
    "long": b" " * 5000,
    "NaN": b'{"x":NaN,',
    "a number as a text": b'{"first_seq":"11",',
    "a number with a point": b'{"first_seq":11.0,',
    "true": b'{"first_seq":true,',
    "one": b'{"first_seq":1,',
    "a large number": b'{"first_seq":9223372036854775808,',
    "5,000 digits": b'{"first_seq":' + b"9" * 4000 + b",",
    "no hash": b'{"prev":"x",',
    "a hash and a newline": b'{"prev":"' + b"0" * 64 + b'\\n",',
    "another version": b'{"v":2,',
    "version true": b'{"v":true,',
    "null": b'{"ledger_id":null,',
    "another ledger": b'{"ledger_id":"' + b"0d" * 16 + b'",',
    "another time": b'{"time":1,',
    "blanks": b' \n{"rule":"x" , ',
    "a byte order mark": b"\xef\xbb\xbf{",
    "beyond the end": b'{"first_seq":41,',
}


@pytest.mark.parametrize("text", PRUNED.values(), ids=PRUNED)
@pytest.mark.parametrize("signed", [True, False])
def test_both_take_the_same_for_what_pruned_json_says(
    tmp_path: Path, text: bytes, signed: bool
) -> None:
    ledger = tampering.make(tmp_path / "ledger")
    told = _signed(tmp_path, ledger) if signed else None
    tampering.prune(ledger)
    path = ledger / "pruned.json"
    rest = json.loads(path.read_bytes())
    for key in re.findall(rb'"(\w+)":', text):
        rest.pop(key.decode(), None)
    path.write_bytes(
        text + json.dumps(rest).encode()[1:] if text.endswith((b",", b", ", b"{")) else text
    )

    agree(ledger, told)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("pruned", path)])
@pytest.mark.parametrize(
    "name",
    ["pruned.json", "00000000000000000011.jsonl", "00000000000000000031.jsonl.zst", "signed"],
)
def test_both_take_the_same_for_what_is_no_file(
    tmp_path: Path, make: Callable[[str], None], name: str
) -> None:
    ledger = tampering.make(tmp_path / "ledger")
    (ledger / name).unlink(missing_ok=True)
    make(str(ledger / name))

    agree(ledger, ledger / name if name == "signed" else None)


SIGNED: dict[str, Change] = {
    "as it is": lambda text: text,
    "empty": lambda _: b"",
    "an empty line": lambda text: text + b"\n",
    "torn": lambda text: text[:-20],
    "the first torn": lambda text: text[:100],
    "without its newline": lambda text: text[:-1],
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "a note": lambda text: b"# a note\n" + text,
    "a note behind it": lambda text: text + b"note",
    "a log": lambda text: b'{"event":"x"}\n{"checkpoint":"%b"}\n' % text.splitlines()[0],
    "a log without one": lambda _: b'{"event":"x"}\n',
    "a log with a newline in it": lambda text: b'{"checkpoint":"%b\\n"}\n' % text.splitlines()[0],
    "a log that is torn": lambda text: text + b'{"event":"x',
    "a number": lambda _: b'{"checkpoint":1}\n',
    "null": lambda text: text + b'{"checkpoint":null}\n',
    "deep": lambda text: text + b'{"x":' + b"[" * 2000,
    "deep, a line": lambda text: text + b'{"x":' + b"[" * 100 + b"]" * 100 + b"}\n",
    "long": lambda text: text + b"x" * (3 << 20) + b"\n" + text,
    "no ASCII": lambda text: text.replace(b"v1", "v¹".encode()),
    "another ledger": lambda text: text.replace(b"3f", b"0d"),
    "twice": lambda text: text * 2,
    "another hash": lambda text: re.sub(rb" 12 [0-9a-f]", b" 12 g", text),
    "contradicting": lambda text: text + re.sub(rb" 12 .{64}", b" 12 " + b"0" * 64, text),
    "of a later entry": lambda text: text.replace(b" 30 ", b" 9999999999999999999 "),
    "of a number that is too long": lambda text: text.replace(b" 30 ", b" 10000000000000000000 "),
    "blanks at its end": lambda text: text.replace(b"\n", b" \n"),
}


@pytest.mark.parametrize("change", SIGNED.values(), ids=SIGNED)
def test_both_take_the_same_for_a_file_of_checkpoints(tmp_path: Path, change: Change) -> None:
    ledger = tampering.make(tmp_path / "ledger")
    signed = _signed(tmp_path, ledger)
    signed.write_bytes(change(signed.read_bytes()))

    agree(ledger, signed)


def _signed(directory: Path, ledger: Path, seqs: tuple[int, ...] = (12, 30)) -> Path:
    told: Sequence[Checkpoint] = tampering.sign(ledger, checkpoints.key(directory / "key"), seqs)
    (directory / "signed").write_text("".join(one.line for one in told), encoding="ascii")
    return directory / "signed"


_bytes = st.sampled_from(
    [b"\0", b"\n", b"{", b"}", b"[", b'"', b"\\", b"\r", b" ", b",", b"\xff", b"9", b"\\ud800"]
) | st.binary(min_size=1, max_size=3)
_alterations = st.lists(
    st.tuples(
        st.sampled_from(["change", "insert", "delete", "cut", "append", "double", "swap"]),
        st.floats(0, 1, exclude_max=True),
        _bytes,
    ),
    min_size=1,
    max_size=3,
)


def altered(data: bytes, how: str, where: float, new: bytes) -> bytes:
    at = int(where * len(data))
    match how:
        case "change":
            return data[:at] + new + data[at + len(new) :]
        case "insert":
            return data[:at] + new + data[at:]
        case "delete":
            return data[:at] + data[at + 1 :]
        case "cut":
            return data[:at]
        case "append":
            return data + new
        case "double":
            return data[:at] + data[at // 2 :]
        case _:
            rows = data.split(b"\n")
            one, other = at % len(rows), (at * 7) % len(rows)
            rows[one], rows[other] = rows[other], rows[one]
            return b"\n".join(rows)


@settings(max_examples=150)
@given(
    alterations=_alterations,
    number=st.integers(0, 5),
    compressed=st.booleans(),
    pruned=st.booleans(),
    signed=st.sampled_from([None, (12, 30), (12,), (10, 11), (1,)]),
    tamper=st.none() | st.sampled_from(TAMPERINGS),
)
def test_they_agree_whatever_is_done(  # noqa: PLR0917 - hypothesis passes by name
    alterations: list[tuple[str, float, bytes]],
    number: int,
    compressed: bool,
    pruned: bool,
    signed: tuple[int, ...] | None,
    tamper: tampering.Tampering | None,
) -> None:
    directory = Path(tempfile.mkdtemp())
    try:
        ledger = tampering.make(directory / "ledger")
        told = _signed(directory, ledger, signed) if signed else None
        if tamper is not None:
            tamper.apply(ledger)
        elif pruned:
            tampering.prune(ledger)
        if compressed:
            tampering.compress(ledger)
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        changed = [path for path in files if "key" not in path.name and path.name != "lock"]
        path = changed[number % len(changed)]
        for how, where, new in alterations:
            path.write_bytes(altered(path.read_bytes(), how, where, new))
        agree(ledger, told)
    finally:
        shutil.rmtree(directory)


@settings(max_examples=100)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_they_agree_on_every_value_that_json_can_write(value: object) -> None:
    """Also those that RFC 8259 does not know."""
    line, _ = link(GENESIS, [b'{"x":' + json.dumps(value).encode() + b"}"])
    with tempfile.TemporaryDirectory() as directory:
        ledgers.replace(Path(directory), [line])
        assert Entry.parse(line).seq == 1
        agree(Path(directory))
