"""An explanation for people: the sentences of each type, wrapped, with the records that show them.

Where lines may be as long as they are each sentence is one line with its type, for grep.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from nsledger.model.namespaces import NamespaceType
from nsledger.render.explanation import Explanation, Sentence, SentenceKind
from nsledger.render.matrix import CHANGED_SIGN, HOSTS_BY_DEFAULT
from nsledger.render.text import Screen, Tone, cite, paint, visible

_TYPE_COLUMNS: Final = 8
_LEAST_TEXT: Final = 40
_TONES: Final = {
    SentenceKind.SHARED: Tone.PLAIN,
    SentenceKind.HOST: Tone.FAILED,
    SentenceKind.PRIVATE: Tone.PLAIN,
    SentenceKind.WAS_SHARED: Tone.PLAIN,
    SentenceKind.DISAGREEMENT: Tone.ALARM,
    SentenceKind.CHANGED: Tone.ALARM,
    SentenceKind.UNKNOWN: Tone.WARNING,
    SentenceKind.NOT_STARTED: Tone.FAINT,
}


def draw(explanation: Explanation, screen: Screen) -> Iterator[str]:
    """The lines of the explanation."""
    for of_type in explanation.types:
        for at, sentence in enumerate(of_type.sentences):
            yield from _sentence(of_type.type, sentence, screen, first=at == 0)


def _sentence(
    type_: NamespaceType, sentence: Sentence, screen: Screen, *, first: bool
) -> Iterator[str]:
    text = visible(f"{_sign(sentence.kind, screen)} {sentence.text}")
    quiet = sentence.kind is SentenceKind.HOST and type_ in HOSTS_BY_DEFAULT
    tone = Tone.PLAIN if quiet else _TONES[sentence.kind]
    records = cite(sentence.records)
    title = paint(type_, Tone.STRONG, color=screen.color)
    if screen.width is None:
        said = paint(text, tone, color=screen.color)
        yield f"{title}{' ' * (_TYPE_COLUMNS - len(type_))}{said}; {records}"
        return
    room = max(_LEAST_TEXT, screen.width - _TYPE_COLUMNS)
    margin = " " * _TYPE_COLUMNS
    begin = title + " " * (_TYPE_COLUMNS - len(type_)) if first else margin
    for line in textwrap.wrap(text, room, subsequent_indent="  "):
        yield begin + paint(line, tone, color=screen.color)
        begin = margin
    for line in textwrap.wrap(records, room, initial_indent="  ", subsequent_indent="  "):
        yield margin + paint(line, Tone.FAINT, color=screen.color)


def _sign(kind: SentenceKind, screen: Screen) -> str:
    """One column that can be read without colour."""
    return {
        SentenceKind.HOST: screen.host_sign,
        SentenceKind.DISAGREEMENT: screen.mismatch_sign,
        SentenceKind.CHANGED: CHANGED_SIGN,
        SentenceKind.UNKNOWN: "?",
    }.get(kind, "-")
