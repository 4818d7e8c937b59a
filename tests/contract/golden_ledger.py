"""A ledger of commit c492bef, and what it answered then: `python -m tests.contract.golden_ledger`.

Its imports are there in that commit's layout and in today's, so the same file ran on that code. The
vectors are not to be made anew: they are what ledgers in the field look like.
"""

from __future__ import annotations

import contextlib
import io
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import zstandard

from nsledger.ledger import compression, layout
from nsledger.ledger.layout import Pruned
from nsledger.ledger.reader import entries
from nsledger.ledger.writer import LedgerWriter
from tests import checkpoints
from tests.property import eventful_node
from tests.synthetic_node import NET, PID, SyntheticNode

VECTORS = Path(__file__).parent / "vectors" / "ledger-c492bef"
FORMS = ("plain", "compressed")
SEGMENT_RECORDS = 40
_ABOUT_THE_DAEMON = (
    (
        b'{"time":"TIME","mono_ns":1,"boot_id":"BOOT","event":"clock.stepped","source":"daemon",'
        b'"step_ns":-2000000000,"elapsed_ns":60000000,"before_time":"TIME"}'
    ),
    (
        b'{"time":"TIME","mono_ns":2,"boot_id":"BOOT","event":"disk.stage_changed","source":"daemon",'
        b'"stage":"stop","before":"ok","free_bytes":1048576}'
    ),
    (
        b'{"time":"TIME","mono_ns":3,"boot_id":"BOOT","event":"ledger.stopped","source":"daemon",'
        b'"reason":"disk_full","free_bytes":1048576}'
    ),
    (
        b'{"time":"TIME","mono_ns":4,"boot_id":"BOOT","event":"ledger.resumed","source":"daemon",'
        b'"free_bytes":104857600,"stopped_time":"TIME"}'
    ),
    (
        b'{"time":"TIME","mono_ns":5,"boot_id":"BOOT","event":"segment.altered","source":"daemon",'
        b'"alteration":"extended","segment":"00000000000000000001.jsonl","at_seq":7,"kept_as":"x"}'
    ),
    (
        b'{"time":"TIME","mono_ns":6,"boot_id":"BOOT","event":"of.a.newer.version","source":"moon",'
        b'"far":{"side":[1,2.5,null]}}'
    ),
    (
        b'{"time":"TIME","mono_ns":7,"boot_id":"BOOT","event":"gap","source":"daemon","new_key":1,'
        b'"reason":"not_a_word_yet","count":null,"first_time":"TIME","last_time":"TIME"}'
    ),
)


def node() -> SyntheticNode:
    """A hundred things that happen in an order of chance, then what chance seldom does."""
    chance = random.Random(16)
    made = eventful_node.eventful_node(chance, ns_ids=True)
    while len(made.records) < 100:
        made = eventful_node.eventful_node(chance, ns_ids=True)
    odd = made.run_pod("odd", k8s_namespace="kube-system")
    strayed = made.run_container(odd, "strayed", joins={PID: "host"})
    made.run_container(odd, "unhooked", hook=False)
    made.move(strayed, NET)
    made.run_behind_the_shim(odd, "bypassing")
    found = made.run_behind_the_shim(odd, "found", hook=False, not_before=made.now)
    made.fail("StopContainer", None, odd, "late")
    made.run_kata_pod("sealed")
    made.gap("queue_full", count=3)
    for record in _ABOUT_THE_DAEMON:
        made.wait(1)
        here = record.replace(b"TIME", made.now.encode())
        made.records.append(here.replace(b"BOOT", made.boot_id.encode()))
    made.stop_container(found)
    made.stop_daemon()
    made.wait(30)
    made.recover_ledger()
    made.start_daemon()
    made.run_container(made.run_pod("after"), "app")
    return made


def make(directory: Path, *, compressed: bool) -> None:
    """Write it in segments, sign where it ends and, `compressed`, remove the oldest by the rules.

    Only signing needs a private key, and only its public half stays.
    """
    ledger = directory / "ledger"
    writer = LedgerWriter.open(str(ledger))
    records = node().records
    heads = []
    for first in range(0, len(records), SEGMENT_RECORDS):
        heads.append(writer.append(records[first : first + SEGMENT_RECORDS]))
        if len(records) > first + SEGMENT_RECORDS:
            writer.rotate()
    if compressed:
        removed = heads[1]
        time = checkpoints.TIME
        writer.append(
            [
                b'{"time":"%b","mono_ns":8,"boot_id":"","event":"ledger.pruned","source":"daemon",'
                b'"rule":"max_age","from_seq":1,"through_seq":%d,"digest":"%b","segments":2,'
                b'"size_bytes":9,"ledger_id":"%b"}'
                % (time.encode(), removed.seq, removed.digest.encode(), b"3f" * 16)
            ]
        )
        told = Pruned(
            first_seq=removed.seq + 1,
            prev=removed.digest,
            from_seq=1,
            time=time,
            rule="max_age",
            ledger_id=checkpoints.LEDGER_ID,
        )
        layout.save(str(ledger), told)
        layout.remove_pruned(str(ledger))
    writer.close()
    if compressed:
        for name in compression.closed_segments(str(ledger)):
            compression.compress(str(ledger), name, called_off=lambda: False)
    key = directory / "checkpoint.key"
    checkpoints.sign_end(ledger, directory / "checkpoints", key)
    key.unlink()
    for name in ("lock", "writer.lock"):
        (ledger / name).unlink(missing_ok=True)


def questions(ledger: Path) -> Iterator[list[str]]:
    """The command lines to run on it."""
    told = [msgspec.json.decode(entry.line) for entry in entries(str(ledger))]
    times = sorted(str(told[at]["time"]) for at in (5, len(told) // 2, -30, -2))
    inodes = [
        str(record["actual"]["namespaces"]["net"]["ino"])
        for record in told
        if "net" in record.get("actual", {}).get("namespaces", {})
    ]
    pods = dict.fromkeys(
        record["pod"]["pod_sandbox_id"]
        for record in told
        if record.get("pod", {}).get("pod_sandbox_id")
    )
    yield ["log", "-o", "json"]
    yield ["log", "-o", "json", "-r", "-n", "5", "--event", "container.*"]
    yield ["log", "-o", "jsonl", "--since", times[1], "--until", times[2]]
    yield ["verify", "-o", "json"]
    yield ["verify", "-o", "json", "--checkpoint", "DIR/checkpoints"]
    yield ["verify", "-o", "json", "--checkpoint", "DIR/checkpoints", "--key", "DIR/key.pub"]
    yield ["findings", "-o", "json"]
    yield ["pods", "-o", "json", "-a"]
    yield ["pods", "-o", "json", "--sharing", "host", "--type", "net"]
    for at in times:
        yield ["pods", "-o", "json", "--at", at]
        yield ["findings", "-o", "json", "--until", at]
        yield ["show", "-o", "json", "odd", "--at", at]
        for number in (inodes[len(inodes) // 2], inodes[-1], "pid:18477", "10.88.0.2"):
            yield ["whois", "-o", "json", number, "--at", at]
    for pod in [*list(pods)[:4], *list(pods)[-4:]]:
        yield ["show", "-o", "json", "-a", pod]
        yield ["explain", "-o", "json", "-a", pod]
        yield ["whois", "-o", "json", pod]
        yield ["report", "-o", "mermaid", pod]
    for number in (*inodes[::9], "id:4303", "pid:18477", "net:[4026531840]"):
        yield ["whois", "-o", "json", number]
    for view in ("pods", "containers", "namespaces", "names", "gaps", "boots"):
        yield ["sql", "-o", "json", f"SELECT * FROM {view} ORDER BY 1, 2"]  # noqa: S608 - names of our own


class Answer(msgspec.Struct, frozen=True):
    """What a command line answered."""

    form: str
    arguments: list[str]
    code: int
    out: str


def ask(arguments: list[str], directory: Path) -> tuple[int, str]:
    """Run a command line on the ledger in `directory`; its exit status and standard output."""
    from nsledger.cli.main import run  # noqa: PLC0415 - it is at home in both layouts

    out = io.BytesIO()
    text = io.TextIOWrapper(out, "utf-8", write_through=True)
    with contextlib.redirect_stdout(text):
        said = [word.replace("DIR", str(directory)) for word in arguments]
        code = run([*said, "--ledger", str(directory / "ledger")])
    text.flush()
    return code, out.getvalue().decode().replace(str(directory), "DIR")


def answers() -> list[Answer]:
    """What c492bef answered, on both forms."""
    data = zstandard.ZstdDecompressor().decompress((VECTORS / "answers.json.zst").read_bytes())
    return msgspec.json.decode(data, type=list[Answer])


def main(target: Path) -> None:
    """Make ledgers, keys and answers in `target`."""
    found: list[Answer] = []
    for form in FORMS:
        directory = target / form
        directory.mkdir(parents=True, exist_ok=True)
        make(directory, compressed=form == "compressed")
        (directory / "checkpoint.key.pub").rename(directory / "key.pub")
        found += [
            Answer(form, arguments, *ask(arguments, directory))
            for arguments in questions(directory / "ledger")
        ]
        for made in (directory / "ledger").iterdir():
            if not made.name.startswith(("0", "pruned")):
                made.unlink()
    packed = zstandard.ZstdCompressor(level=19).compress(msgspec.json.encode(found))
    (target / "answers.json.zst").write_bytes(packed)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
