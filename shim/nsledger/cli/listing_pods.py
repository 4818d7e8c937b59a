"""What `nsledger pods` does: folds the ledger, selects, and lists."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, assert_never

from nsledger.cli import exit_codes
from nsledger.cli.past import folded
from nsledger.cli.reading import reading_a_ledger
from nsledger.cli.terminal import ColorChoice, screen, write_lines
from nsledger.domain.judgement import Verdict
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.pod_line import PodFilter, pod_lines
from nsledger.domain.pod_matrix import pod_matrix
from nsledger.report import pod_table, unwatched_text
from nsledger.report.structured import to_json, to_yaml
from nsledger.report.text import visible


@reading_a_ledger()
def listing_pods(
    *,
    ledger: str,
    k8s_namespaces: Sequence[str],
    types: Sequence[str],
    sharings: Sequence[str],
    verdicts: Sequence[str],
    ended: bool,
    at: int | None,
    output: Literal["table", "wide", "json", "yaml", "name"],
    utc: bool,
    color: ColorChoice,
) -> int:
    """List the pods of the ledger at `ledger`; the exit status."""
    then = folded(ledger, at)
    wanted = PodFilter(
        k8s_namespaces=k8s_namespaces,
        types=[NamespaceType(one) for one in types],
        sharings=sharings,
        verdicts=[Verdict(one) for one in verdicts],
        ended=ended,
    )
    pods = [pod for id_, pod in then.workloads.pods.items() if id_]
    lines = pod_lines((pod_matrix(pod, then.workloads.host) for pod in pods), wanted)
    match output:
        case "table" | "wide":
            drawn_for = screen(color=color, utc=utc)
            write_lines(unwatched_text.draw(then.unwatched, drawn_for))
            write_lines(pod_table.draw(lines, drawn_for, types=wanted.types, wide=output == "wide"))
            if not lines:
                sys.stderr.write(f"no such pod among the {len(pods)} on record\n")
        case "json":
            sys.stdout.write(to_json(lines))
        case "yaml":
            sys.stdout.write(to_yaml(lines))
        case "name":
            write_lines(visible(line.pod.full_name) for line in lines)
        case _:
            assert_never(output)
    bad = any(line.verdict is Verdict.MISMATCH or line.changed for line in lines)
    return exit_codes.FOUND if bad else exit_codes.OK
