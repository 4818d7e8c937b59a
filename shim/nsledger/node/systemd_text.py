"""The syntax of unit files and environment files, with the place of every character kept.

systemd joins continued lines, takes out comments, quotes and escapes, and puts variables into
command lines. What comes out of that is a word of an argv; to change such a word where it stands,
one has to know which characters of which file it came from. So a text is a list of cells:

    [Cell("a", "/etc/default/kubelet", 12, 13), ...]

and every function here takes and gives such lists. Pure; no file is opened.

Source: systemd.syntax(7), systemd.exec(5) `EnvironmentFile=`; systemd 252 `extract-word.c`,
`conf-parser.c`, `env-file.c`. `tests/node/test_systemd_oracle.py` holds it against systemd itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

WHITESPACE: Final = " \t\n\r"
_COMMENTS: Final = "#;"
_END_OF_LINE: Final = re.compile(r"\r\n|\n\r|[\n\r\0]")
_SHELL_ESCAPED: Final = '"\\`$'
_LETTERS: Final = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
    "'": "'",
    "s": " ",
}
_NUMBERS: Final = (
    (re.compile(r"x([0-9a-fA-F]{2})"), 16),
    (re.compile(r"u([0-9a-fA-F]{4})"), 16),
    (re.compile(r"U([0-9a-fA-F]{8})"), 16),
    (re.compile(r"([0-3][0-7]{2})"), 8),
)
_LARGEST_CHARACTER: Final = 0x10FFFF


class Cell(NamedTuple):
    """One character, and the characters of a file that it stands for."""

    char: str
    path: str
    start: int
    """Offset in the file's text."""
    end: int


Text = list[Cell]


class BadWordError(ValueError):
    """A quote that is not closed, or an escape that there is not."""


def decoded(data: bytes) -> str:
    """The text of a file; bytes that are no UTF-8 come back as they were by `encoded`."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The bytes of `decoded`."""
    return text.encode("utf-8", "surrogateescape")


def is_utf8(text: str) -> bool:
    """Whether `decoded` had nothing to escape."""
    return not any("\udc80" <= char <= "\udcff" for char in text)


def cells(path: str, text: str, start: int = 0) -> Text:
    """`text`, which stands at offset `start` of the file at `path`."""
    return [Cell(char, path, start + at, start + at + 1) for at, char in enumerate(text)]


def plain(text: Text) -> str:
    """The characters alone."""
    return "".join(cell.char for cell in text)


def assignments(path: str, text: str, section: str) -> Iterator[tuple[str, Text]]:
    """Key and value of each line of `section` in a unit file, continued lines joined."""
    current = ""
    for line in _logical_lines(path, text):
        found = _stripped(line)
        said = plain(found)
        if said.startswith("["):
            current = said[1:-1] if said.endswith("]") else ""
        elif current == section and "=" in said and is_utf8(said):
            at = said.index("=")
            yield said[:at].rstrip(WHITESPACE), _stripped(found[at + 1 :])


def words(value: Text) -> Iterator[Text]:
    """The words of a unit file's value that is a list.

    Raises:
        BadWordError: where systemd would ignore the rest of the line.
    """
    at = 0
    while (found := next_word(value, at, c_escapes=True, strict=True)) is not None:
        word, at = found
        yield word


def next_word(
    value: Text, at: int, *, c_escapes: bool, strict: bool = False, relaxed: bool = False
) -> tuple[Text, int] | None:
    r"""The word at or behind `at`, and where the next one may begin; None at the end.

    Args:
        value: what is split.
        at: index to begin at.
        c_escapes: whether `\n`, `\x20` and the like are characters, as in unit files; without,
            a backslash stands for the character behind it, as in the value of a variable.
        strict: take an escape that there is not for an error; else it stays as it is.
        relaxed: take an open quote at the end as closed.

    Raises:
        BadWordError: a quote is not closed, or a backslash is the last character.
    """
    while at < len(value) and value[at].char in WHITESPACE:
        at += 1
    if at == len(value):
        return None
    word: Text = []
    quote = ""
    while at < len(value):
        cell = value[at]
        if cell.char == "\\":
            if at + 1 == len(value):
                if not relaxed:
                    raise BadWordError(plain(value))
                break
            found, at = _unescaped(value, at, c_escapes=c_escapes, strict=strict)
            word += found
            continue
        at += 1
        if quote:
            if cell.char == quote:
                quote = ""
            else:
                word.append(cell)
        elif cell.char in "'\"":
            quote = cell.char
        elif cell.char in WHITESPACE:
            return word, at
        else:
            word.append(cell)
    if quote and not relaxed:
        raise BadWordError(plain(value))
    return word, at


def split_variable(value: Text) -> list[Text]:
    """The words of a variable's value where `$NAME` stands alone on a command line."""
    found: list[Text] = []
    at = 0
    while (one := next_word(value, at, c_escapes=False, relaxed=True)) is not None:
        word, at = one
        found.append(word)
    return found


def environment_file(path: str, text: str) -> Iterator[tuple[str, Text]]:
    """Name and value of each variable that an `EnvironmentFile=` sets, in order."""
    at = 0
    line = cells(path, text)
    while at < len(line):
        char = line[at].char
        if char in WHITESPACE:
            at += 1
        elif char in _COMMENTS:
            at = _behind_comment(line, at)
        else:
            end = next((i for i in range(at, len(line)) if line[i].char in "=\n\r"), len(line))
            if end < len(line) and line[end].char == "=":
                name = plain(line[at:end]).rstrip(WHITESPACE)
                value, at = _environment_value(line, end + 1)
                yield name, value
            else:
                at = end + 1


def _environment_value(line: Text, at: int) -> tuple[Text, int]:
    """The value that begins at `at`, and where the next line begins."""
    value: Text = []
    kept = 0
    """How much of `value` stays when trailing blanks are cut off: quoted ones are no such."""
    quote = ""
    bare = False
    """Whether an unquoted part has begun, in which quotes are characters like others."""
    while at < len(line):
        cell = line[at]
        following = line[at + 1] if at + 1 < len(line) else None
        at += 1
        if quote:
            if cell.char == quote:
                quote = ""
            elif cell.char == "\\" and quote == '"' and following is not None:
                at += 1
                if following.char in _SHELL_ESCAPED:
                    value.append(following._replace(start=cell.start))
                elif following.char != "\n":
                    value += [cell, following]
            else:
                value.append(cell)
            kept = len(value)
        elif cell.char in "\n\r":
            break
        elif cell.char == "\\":
            bare = True
            if following is not None:
                at += 1
                # Of \r\n the \r is taken, and the \n ends the value: as systemd does it.
                if following.char not in "\n\r":
                    value.append(following._replace(start=cell.start))
            kept = len(value)
        elif not bare and cell.char in "'\"":
            quote = cell.char
        elif cell.char in WHITESPACE:
            if bare:
                value.append(cell)
        else:
            bare = True
            value.append(cell)
            kept = len(value)
    return value[:kept], at


def _behind_comment(line: Text, at: int) -> int:
    """Where the line behind a comment begins; a backslash takes the next line into it."""
    while at < len(line):
        char = line[at].char
        at += 2 if char == "\\" else 1
        if char in "\n\r":
            break
    return at


def _logical_lines(path: str, text: str) -> Iterator[Text]:
    """The lines of a unit file: comments out, continued ones joined by a blank."""
    begun: Text = []
    start = 1 if text.startswith("\ufeff") else 0
    while start < len(text):
        end = _END_OF_LINE.search(text, start)
        stop, following = (end.start(), end.end()) if end else (len(text), len(text))
        line = text[start:stop]
        if line.lstrip(WHITESPACE)[:1] not in tuple(_COMMENTS):
            begun += cells(path, line, start)
            said = plain(begun)
            if (len(said) - len(said.rstrip("\\"))) % 2:
                begun[-1] = begun[-1]._replace(char=" ")
            else:
                yield begun
                begun = []
        start = following
    yield begun


def _unescaped(value: Text, at: int, *, c_escapes: bool, strict: bool) -> tuple[Text, int]:
    """What the backslash at `at` and the characters behind it stand for, and what follows."""
    first, second = value[at], value[at + 1]
    whole = second._replace(start=first.start)
    if not c_escapes:
        return [whole], at + 2
    if second.char in _LETTERS:
        return [whole._replace(char=_LETTERS[second.char])], at + 2
    behind = plain(value[at + 1 : at + 10])
    for pattern, base in _NUMBERS:
        found = pattern.match(behind)
        if found and 0 < (number := int(found[1], base)) <= _LARGEST_CHARACTER:
            last = value[at + found.end()]
            return [whole._replace(char=chr(number), end=last.end)], at + 1 + found.end()
    if strict:
        raise BadWordError(plain(value))
    return [first, second], at + 2


def _stripped(text: Text) -> Text:
    said = plain(text)
    left = len(said) - len(said.lstrip(WHITESPACE))
    return text[left : len(said.rstrip(WHITESPACE))]
