"""The daemon's side of the hook record, format 1: every golden record is read to the last field."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from nsledger.model.namespaces import NamespaceType
from nsledger.spool.hook_record import HookRecord

VECTORS = sorted(Path(__file__).parent.glob("vectors/hook-record-v1-*.json"))
BOOT_ID = "73c36fe3-36cd-43e9-9d9c-c4b2fcb6fa75"


def test_there_are_golden_records() -> None:
    assert len(VECTORS) >= 5


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_nothing_of_a_golden_record_is_passed_over(path: Path) -> None:
    """Read and written again it is the same, plus the optional fields that it did without."""
    data = path.read_bytes()

    record = HookRecord.parse(data, boot_id=BOOT_ID)

    again = json.loads(msgspec.json.encode(record))
    assert {name: again[name] for name in json.loads(data)} == json.loads(data)
    assert record.event().errors == record.errors


def test_the_event_of_the_full_record_has_every_layer() -> None:
    path = Path(__file__).parent / "vectors/hook-record-v1-full.json"

    event = HookRecord.parse(path.read_bytes(), boot_id=BOOT_ID).event()

    assert event.actual is not None
    assert event.actual.complete
    assert event.actual.for_children.keys() == {"pid_for_children", "time_for_children"}
    assert event.assigned.keys() == set(NamespaceType)
    assert (event.pod.k8s_namespace, event.pod.name) == ("default", "web-0")
    assert event.container.name == "nginx"
    assert event.hook_time == "2026-11-24T01:34:33.197204045Z"
