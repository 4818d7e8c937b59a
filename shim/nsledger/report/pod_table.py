"""The lines of pods as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from nsledger.domain.judgement import Verdict
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.pod_line import PodLine
from nsledger.domain.sharing import POD
from nsledger.report import grid
from nsledger.report.grid import Piece
from nsledger.report.screen import Screen
from nsledger.report.sharing_cell import HOSTS_BY_DEFAULT
from nsledger.report.tone import Tone, paint
from nsledger.report.when import moment, zone_name

_ROOM_FOR_TIMES: Final = 100
_EPOCH: Final = "1970-01-01T00:00:00Z"
_VERDICTS: Final = {
    None: Tone.FAINT,
    Verdict.MATCH: Tone.GOOD,
    Verdict.MISMATCH: Tone.ALARM,
    Verdict.NOT_REQUESTED: Tone.FAINT,
    Verdict.UNOBSERVABLE: Tone.WARNING,
}


def draw(
    lines: Sequence[PodLine],
    screen: Screen,
    *,
    types: Sequence[NamespaceType] = (),
    wide: bool = False,
) -> Iterator[str]:
    """One line per pod.

    The host's user and time namespaces, which every ordinary pod is in, are only shown if `types`
    asks for them, or wide.
    """
    if not lines:
        return
    zone = zone_name(next((line.since for line in lines if line.since), _EPOCH), screen.zone)
    titles = ["POD", "STATE", "CONTAINERS", "HOST'S", "VERDICT"]
    if wide or screen.width is None or screen.width >= _ROOM_FOR_TIMES:
        titles.append(f"SINCE ({zone})")
    if wide:
        titles += ["SHARED", "SANDBOX ID", "UID", "IP", "HANDLER"]
    hidden = set[NamespaceType]() if wide or types else HOSTS_BY_DEFAULT
    rows = [_row(line, screen, hidden)[: len(titles)] for line in lines]
    yield from grid.draw(titles, rows, screen, flexible=("POD",))
    if hidden and any(hidden & set(line.host) for line in lines):
        note = "user and time are left out, which are the host's for every ordinary pod: -o wide"
        yield paint(note, Tone.FAINT, color=screen.color)


def _row(line: PodLine, screen: Screen, hidden: set[NamespaceType]) -> list[Piece]:
    hosts = [type_ for type_ in line.host if type_ not in hidden]
    loud = set(hosts) - HOSTS_BY_DEFAULT
    word = "not judged" if line.verdict is None else line.verdict.replace("_", " ")
    tone = _VERDICTS[line.verdict]
    if line.verdict is Verdict.MISMATCH:
        word = f"{screen.mismatch_sign} {word}"
    if line.changed:
        word, tone = f"{word}, changed", Tone.ALARM
    living = line.state != "ended"
    shared = [type_ for type_, words in line.sharing.items() if POD in words]
    return [
        Piece(line.pod.full_name or "?", Tone.STRONG if living else Tone.FAINT),
        Piece(line.state, Tone.GOOD if line.state == "running" else Tone.FAINT),
        Piece(str(len(line.containers))),
        Piece(f"{screen.host_sign} {' '.join(hosts)}", Tone.HOST if loud else Tone.FAILED)
        if hosts
        else Piece("-", Tone.FAINT),
        Piece(word, tone),
        Piece(moment(line.since, screen.zone) if line.since else "-"),
        Piece(" ".join(shared) or "-"),
        Piece(line.pod.pod_sandbox_id[:13], Tone.FAINT),
        Piece(line.pod.uid or "-", Tone.FAINT),
        Piece(",".join(line.ips) or "-"),
        Piece(line.pod.runtime_handler or "-"),
    ]
