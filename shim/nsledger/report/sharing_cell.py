"""How one cell of the matrix says whose namespace it is: a sign, a word and a tone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nsledger.domain.matrix import Process
from nsledger.domain.namespaces import NamespaceType
from nsledger.domain.sharing import HOST, POD, PRIVATE, UNKNOWN
from nsledger.report.screen import Screen
from nsledger.report.tone import GROUPS, Tone

HOSTS_BY_DEFAULT: Final = {NamespaceType.USER, NamespaceType.TIME}
"""Every ordinary pod is in the host's: red as well, but not as loud as what a pod asked for."""


@dataclass(frozen=True, slots=True)
class SharingCell:
    """One cell, ready to be painted."""

    sign: str
    """The host's sign, the group's letter, or a space: one column, so that words line up."""
    word: str
    tone: Tone | str


def sharing_cell(process: Process, type_: NamespaceType, screen: Screen) -> SharingCell:
    """The cell of `process` for `type_`.

    Two words differ from the record's: what a sandbox has and no container joined is its `own`, and
    what was `private` when it started and is no more is `shared`.
    """
    cell = process.namespaces[type_]
    if cell.sharing == HOST:
        loud = type_ not in HOSTS_BY_DEFAULT
        return SharingCell(screen.host_sign, HOST, Tone.HOST if loud else Tone.FAILED)
    if cell.group:
        word = "shared" if cell.sharing == PRIVATE else cell.sharing
        return SharingCell(cell.group, word, group_color(cell.group))
    if cell.sharing == UNKNOWN:
        return SharingCell(" ", "?", Tone.WARNING)
    unjoined = process.kind == "sandbox" and cell.sharing == POD
    return SharingCell(" ", "own" if unjoined else cell.sharing, Tone.FAINT)


def group_color(group: str) -> str:
    """The SGR parameter of a group's colour."""
    return GROUPS[(ord(group[0]) - ord("A")) % len(GROUPS)]
