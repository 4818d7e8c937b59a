"""Hook record, format 1: golden files that the hook still writes and the daemon still reads.

A file here changes only together with the number of the format (hooks/README.md).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec
import pytest

from nsledger.model.namespaces import NamespaceReading, NamespaceType, assigned_by_oci
from nsledger.spool.hook_record import HookRecord
from nsledger_hook import hook
from tests.integration.hook_runs import (
    Document,
    child_of,
    links_in,
    links_of,
    process,
    run_hook,
    state_of,
    wait_until,
    witness,
)

VECTORS = Path(__file__).parent / "vectors"
GOLDEN = {
    path.stem.removeprefix("hook-record-v1-"): path.read_bytes()
    for path in sorted(VECTORS.glob("hook-record-v1-*.json"))
}
README = Path(hook.__file__).parents[1] / "README.md"

THE_MOMENTS_OWN = ("boot_id", "time_ns", "mono_ns", "duration_ns")
"""What no two runs have in common."""

ERROR_WORD = re.compile(
    r'"((?:process|namespaces|config|option|field|\{of\})_[a-z_0-9]+|deadline)"'
)

REPRODUCIBLE = {
    "poststop": (
        state_of(
            None,
            status="stopped",
            annotations={"io.kubernetes.cri.sandbox-name": "café-0", "foreign": "left out"},
        ),
        "poststop",
    ),
    "broken": (b"{", None),
    "vanished": (state_of(4194304, status="created"), "createRuntime"),
}
"""The states that lead to a golden file whatever machine the hook runs on (no process has the pid:
it is one past the kernel's limit)."""


@pytest.mark.parametrize("name", REPRODUCIBLE)
def test_the_hook_writes_the_golden_bytes(name: str, tmp_path: Path) -> None:
    state, stage = REPRODUCIBLE[name]

    run_hook(state, "--spool", tmp_path, *(("--stage", stage) if stage else ()))

    (path,) = tmp_path.iterdir()
    left = path.read_bytes()
    for field in THE_MOMENTS_OWN:
        of_field = rb'"%s":("[^"]*"|\d+)' % field.encode()
        golden = re.search(of_field, GOLDEN[name])
        assert golden
        left = re.sub(of_field, golden[0], left)
    assert left == GOLDEN[name]


@pytest.mark.parametrize("name", GOLDEN)
def test_the_hooks_own_record_writes_the_golden_bytes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = json.loads(GOLDEN[name])
    record = hook.Record()
    assert set(fields) <= set(vars(record))
    for field, value in fields.items():
        setattr(record, field, value)
    monkeypatch.setattr(
        "nsledger_hook.hook.time.monotonic_ns", lambda: fields["mono_ns"] + fields["duration_ns"]
    )

    hook.leave_record(str(tmp_path), record)

    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == GOLDEN[name]


def shape(value: object) -> object:
    """A value's types, down to the keys of its objects."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


@pytest.mark.root
def test_a_real_process_has_the_shape_of_the_golden_file(tmp_path: Path) -> None:
    golden: Document = json.loads(GOLDEN["full"])
    entries = [("pid", ""), ("mount", ""), ("cgroup", "")]
    entries += [(name, f"/proc/4242/ns/{name[:3]}") for name in ("ipc", "uts", "user")]
    entries += [("network", "/proc/4242/ns/net")]
    config = {"linux": {"namespaces": [{"type": name, "path": path} for name, path in entries]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    spool = tmp_path / "spool"
    spool.mkdir()
    options = ("--user", "--map-root-user", "--pid", "--time", "--fork")
    with process("unshare", *options, "sleep", "60") as pid:
        wait_until(lambda: links_of(pid, "user") != links_of(os.getpid(), "user"))
        child_of(pid)
        state = state_of(pid, bundle=str(tmp_path), annotations=golden["annotations"])
        record = witness(state, spool, "--stage", "createRuntime")

    assert list(record) == list(golden)
    for seen in (*record["namespaces"].values(), *record["for_children"].values()):
        seen.setdefault("ns_id", "0")  # an older kernel gives none
        seen.setdefault("owner_ino", 0)
    assert shape(record) == shape(golden)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_daemon_reads_every_golden_file(name: str) -> None:
    fields: Document = json.loads(GOLDEN[name])

    record = HookRecord.parse(GOLDEN[name], boot_id=fields["boot_id"])
    event = record.event()

    assert event.container.container_id == (fields["container_id"] or "")
    assert event.assigned == (fields["assigned"] or {})
    assert list(event.errors) == fields["errors"]
    assert (event.actual is None) == (fields["pid"] is None)
    if event.actual is not None:
        assert links_in(fields["namespaces"]) == {
            type_.value: (seen.dev, seen.ino) for type_, seen in event.actual.namespaces.items()
        }


@pytest.mark.parametrize("name", GOLDEN)
def test_the_namespaces_fit_the_domains_reading(name: str) -> None:
    fields: Document = json.loads(GOLDEN[name])
    wanted = {"pid", "start_ticks", "namespaces", "missing"}

    reading = msgspec.convert(
        {key: value for key, value in fields.items() if key in wanted} | {"pid": 1},
        NamespaceReading,
    )

    assert set(reading.namespaces) | set(reading.missing) == set(NamespaceType)


def test_the_words_are_the_domains(tmp_path: Path) -> None:
    entries = [(type_.oci_name, "") for type_ in NamespaceType] + [("network", "/joined")]
    config = {"linux": {"namespaces": [{"type": name, "path": path} for name, path in entries]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    record = hook.Record()

    hook.read_assigned(str(tmp_path), record)

    assert list(hook.TYPES) == [type_.value for type_ in NamespaceType]
    assert record.assigned == assigned_by_oci(entries)


def test_the_readme_tells_every_field_and_every_error() -> None:
    readme = README.read_text()
    words = set(ERROR_WORD.findall(Path(hook.__file__).read_text()))
    assert {"deadline", "{of}_not_json", "process_vanished"} <= words
    told = {word.replace("{of}", of) for word in words for of in ("state", "config")}

    for word in (*vars(hook.Record()), *told, *hook.TYPES, "dev", "ino", "ns_id", "owner_ino"):
        assert f"`{word}" in readme, word
    for annotation in hook.ANNOTATIONS:
        assert f"`{annotation.removeprefix('io.kubernetes.cri.')}`" in readme
