"""What `nsledger doctor` does: makes the sight, runs the checks, and tells what they found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from nsledger.cli import exit_codes
from nsledger.cli.answer import write_answer
from nsledger.cli.proof import require_records_of_a_pod
from nsledger.cli.terminal import ColorChoice, screen
from nsledger.cri.client import RuntimeClient
from nsledger.domain.instant import unix_ns
from nsledger.domain.record import decode
from nsledger.errors import NsledgerError
from nsledger.ledger.backwards import entries_backwards
from nsledger.node.containerd_plan import Containerd
from nsledger.node.doctor.examine import examine
from nsledger.node.doctor.outcome import Result
from nsledger.node.doctor.sight import Asking, Sight
from nsledger.node.host import Host
from nsledger.report import findings_text

_CALL_LIMIT_S: Final = 5.0


def examination(
    *,
    output: Literal["table", "json", "yaml"],
    color: ColorChoice,
    only: Sequence[str],
    skip: Sequence[str],
    probe: bool,
    root: str,
    containerd: str,
    containerd_config: str,
) -> int:
    """Look at the node; the exit status."""
    asking = Asking(
        runtime_version=_runtime_version,
        last_record_ns=_last_record_ns,
        run_probe=_run_probe if probe else None,
    )
    sight = Sight(Host.at(root), asking, program=containerd, main=containerd_config)
    found = list(examine(sight, only=only, skip=skip))
    rows = [
        findings_text.Row(one.check, one.result.value, one.evidence, one.remedy) for one in found
    ]
    write_answer(found, output, lambda: findings_text.draw(rows, screen(color=color, utc=True)))
    bad = any(one.result is Result.FAILED for one in found)
    return exit_codes.FOUND if bad else exit_codes.OK


def _runtime_version(socket: str) -> tuple[str, str]:
    with RuntimeClient(socket, timeout_s=_CALL_LIMIT_S) as client:
        version = client.version()
    return version.name, version.version


def _last_record_ns(ledger: str) -> int | None:
    try:
        last = next(entries_backwards(ledger), None)
    except NsledgerError:
        # Whether it is sound is what `nsledger verify` says.
        return None
    except FileNotFoundError:
        return None
    return None if last is None else unix_ns(decode(last.line).time)


def _run_probe(containerd: Containerd, socket: str, ledger: str) -> None:
    require_records_of_a_pod(containerd.configuration, socket=socket, ledger=ledger)
