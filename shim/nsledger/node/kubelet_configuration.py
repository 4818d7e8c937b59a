"""One top-level key of a kubelet configuration, read and changed where it stands: bytes in and out.

JSON stays JSON; YAML keeps its shape, whichever that is, and its comments. After each change the
file is parsed again: unless the key alone is different, nothing comes out but an error that names
the file and the line.

    parse("/var/lib/kubelet/config.yaml", data).value         # as the kubelet reads it
    with_value("/var/lib/kubelet/config.yaml", data, "unix:///run/nsledger/cri.sock")

The kubelet takes a file that begins with `{` for JSON, and of YAML the first document; the places
are those that the parsers tell.

Source: Kubernetes `apimachinery/pkg/runtime/serializer/json`, `sigs.k8s.io/yaml`; YAML 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from json.decoder import JSONDecodeError
from typing import Any, Final, cast

import yaml

from nsledger.errors import NsledgerError

KEY: Final = "containerRuntimeEndpoint"
_BOM: Final = "\ufeff"
_BLANKS: Final = " \t\r\n"


class KubeletConfigurationError(NsledgerError):
    """A configuration of the kubelet that cannot be read, or not be changed in one key alone."""

    def __init__(self, *, path: str, line: int, found: str) -> None:
        super().__init__(f"{path}:{line}: {found}; nothing was written")
        self.hint = (
            f"Set {KEY} in {path} yourself, or put the file into a plainer form, then run "
            "`nsledger install` again."
        )
        self.path, self.line = path, line


@dataclass(frozen=True, slots=True)
class Pair:
    """A top-level key, and where its value stands."""

    name: str | None
    """None if the key is no scalar."""
    start: int
    """Offset of the key."""
    value_start: int
    value_end: int
    """Behind the value's last character: of a block scalar, of its last line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A configuration as its parser sees it."""

    text: str
    content: dict[str, Any]
    pairs: tuple[Pair, ...]
    is_json: bool
    is_flow: bool
    """Whether braces are around it: JSON, or YAML like it."""

    @property
    def states(self) -> bool:
        """Whether it has the key; with an empty value too."""
        return KEY in self.content

    @property
    def value(self) -> str | None:
        """The endpoint; None where the key is missing, null or empty."""
        found = self.content.get(KEY)
        return None if found is None or found == "" else str(found)

    @property
    def pair(self) -> Pair | None:
        """Where the key stands; None if it does not, or comes by a merge."""
        return next((pair for pair in self.pairs if pair.name == KEY), None)

    @property
    def line(self) -> int:
        """The line in which the key's value begins; the first one without."""
        pair = self.pair
        return 1 if pair is None else line_of(self.text, pair.value_start)


def line_of(text: str, offset: int) -> int:
    """The number of the line in which `offset` is, the first being 1."""
    return len(re.findall(r"\r\n|[\r\n]", text[:offset])) + 1


def parse(path: str, data: bytes) -> Document:
    """The configuration in `data`, which the file at `path` holds.

    Raises:
        KubeletConfigurationError: it is none, or has the key twice.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"found byte 0x{data[error.start]:02x}, needed UTF-8"
        raise KubeletConfigurationError(path=path, line=line, found=found) from None
    document = _of_json(path, text) if text.lstrip()[:1] == "{" else None
    document = document or _of_yaml(path, text)
    twice = [pair for pair in document.pairs if pair.name == KEY][1:]
    if twice:
        line = line_of(text, twice[0].start)
        raise KubeletConfigurationError(path=path, line=line, found=f"found {KEY} a second time")
    return document


def with_value(path: str, data: bytes, value: str) -> bytes:
    """`data` with the key set to `value`.

    Raises:
        KubeletConfigurationError: as `parse`; or it cannot be done with the key alone changing.
    """
    document = parse(path, data)
    if document.value == value:
        return data
    pair = document.pair
    candidates = _inserted(document, value) if pair is None else _replaced(document, pair, value)
    return _proved(path, document, candidates, {**document.content, KEY: value})


def with_key_of(path: str, data: bytes, before: bytes) -> bytes:
    """`data` with the key as the configuration `before` has it, or without where that has none.

    Raises:
        KubeletConfigurationError: as `with_value`.
    """
    document, old = parse(path, data), parse(path, before)
    pair, was = document.pair, old.pair
    if pair is None:
        return data
    if was is None:
        wanted = {key: value for key, value in document.content.items() if key != KEY}
        return _proved(path, document, _without(document, pair), wanted)
    raw = old.text[was.value_start : was.value_end]
    wanted = {**document.content, KEY: old.content[KEY]}
    text = document.text
    exact = f"{text[: pair.value_start]}{raw}{text[pair.value_end :]}"
    plainer = _replaced(document, pair, old.value or "")
    return _proved(path, document, iter((exact, *plainer)), wanted)


def _proved(
    path: str, document: Document, candidates: Iterator[str], wanted: dict[str, Any]
) -> bytes:
    """The first of `candidates` that reads as `wanted`, in the same syntax."""
    for text in candidates:
        try:
            found = parse(path, text.encode())
        except KubeletConfigurationError:
            continue
        if found.content == wanted and found.is_json == document.is_json:
            return text.encode()
    found_there = f"found no way to set {KEY} without changing something else"
    raise KubeletConfigurationError(path=path, line=document.line, found=found_there)


def _replaced(document: Document, pair: Pair, value: str) -> Iterator[str]:
    """The text with another value, plain first: a configuration is read by people."""
    text = document.text
    head, tail = text[: pair.value_start], text[pair.value_end :]
    blank = "" if head[-1:] in _BLANKS else " "
    quoted = json.dumps(value)
    if not document.is_flow and value:
        yield f"{head}{blank}{value}{tail}"
    yield f"{head}{'' if document.is_json else blank}{quoted}{tail}"


def _inserted(document: Document, value: str) -> Iterator[str]:
    """The text with the key added: behind the last one, else before the first."""
    text, pairs = document.text, document.pairs
    end_of_line = "\r\n" if "\r\n" in text else "\n"
    if not document.is_flow:
        first, last = pairs[0], pairs[-1]
        before = text[len(_line_start(text, first.start)) : first.start]
        column = len(before.replace(_BOM, ""))
        indent = " " * column
        line = f"{indent}{KEY}: {value}"
        at = _end_of_line(text, last.value_end)
        break_before = "" if text[:at].endswith(("\n", "\r")) else end_of_line
        yield f"{text[:at]}{break_before}{line}{end_of_line}{text[at:]}"
        yield f"{text[: first.start]}{KEY}: {value}{end_of_line}{indent}{text[first.start :]}"
        return
    pair = f"{json.dumps(KEY)}: {json.dumps(value)}"
    if not pairs:
        at = text.index("{") + 1
        yield f"{text[:at]}{pair}{text[at:]}"
        return
    last = pairs[-1]
    between = text[: last.start]
    blanks = between[len(between.rstrip(_BLANKS)) :]
    yield f"{text[: last.value_end]},{blanks or ' '}{pair}{text[last.value_end :]}"


def _without(document: Document, pair: Pair) -> Iterator[str]:
    """The text without the key: with its line, else up to the next key or from the one before."""
    text, pairs = document.text, document.pairs
    if not document.is_flow:
        start = len(_line_start(text, pair.start))
        yield f"{text[:start]}{text[_end_of_line(text, pair.value_end) :]}"
    at = pairs.index(pair)
    if at:
        yield f"{text[: pairs[at - 1].value_end]}{text[pair.value_end :]}"
    if at + 1 < len(pairs):
        yield f"{text[: pair.start]}{text[pairs[at + 1].start :]}"
    yield f"{text[: pair.start]}{text[pair.value_end :]}"


def _line_start(text: str, offset: int) -> str:
    """All of `text` before the line of `offset`."""
    return text[: max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1]


def _end_of_line(text: str, offset: int) -> int:
    """Behind the line break that ends the line of `offset`, or `offset` if a line begins there."""
    if offset and text[offset - 1] in "\r\n":
        return offset
    found = re.compile(r"\r\n|[\r\n]").search(text, offset)
    return found.end() if found else len(text)


def _of_json(path: str, text: str) -> Document | None:
    """The JSON object in `text`; None if it is none, but perhaps YAML."""
    decoder = json.JSONDecoder()
    try:
        content = decoder.decode(text)
    except JSONDecodeError:
        return None
    except RecursionError:
        found = "found JSON that is nested too deep"
        raise KubeletConfigurationError(path=path, line=1, found=found) from None
    pairs: list[Pair] = []
    at = _skip(text, text.index("{") + 1)
    while text[at] != "}":
        start = at
        name, at = decoder.raw_decode(text, at)
        value_start = _skip(text, _skip(text, at) + 1)
        _, value_end = decoder.raw_decode(text, value_start)
        pairs.append(Pair(name, start, value_start, value_end))
        at = _skip(text, value_end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return Document(text, content, tuple(pairs), is_json=True, is_flow=True)


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANKS:
        at += 1
    return at


def _of_yaml(path: str, text: str) -> Document:
    try:
        content = next(iter(yaml.safe_load_all(text)), None)
        root, pairs = _yaml_pairs(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        found = f"found no YAML ({error.problem})"
        raise KubeletConfigurationError(path=path, line=line, found=found) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        found = f"found no YAML ({type(error).__name__})"
        raise KubeletConfigurationError(path=path, line=1, found=found) from None
    if root is None or not isinstance(content, dict) or not (pairs or root.flow_style):
        found = "found no mapping of keys to values"
        raise KubeletConfigurationError(path=path, line=1, found=found)
    return Document(
        text,
        cast("dict[str, Any]", content),
        tuple(pairs),
        is_json=False,
        is_flow=bool(root.flow_style),
    )


def _yaml_pairs(text: str) -> tuple[yaml.MappingStartEvent | None, list[Pair]]:
    """How the first document begins, and its top-level pairs."""
    events = iter(yaml.parse(text, Loader=yaml.SafeLoader))
    root = next((one for one in events if not _opens_stream(one)), None)
    if not isinstance(root, yaml.MappingStartEvent):
        return None, []
    pairs: list[Pair] = []
    while not isinstance(key := next(events), yaml.MappingEndEvent):
        name = key.value if isinstance(key, yaml.ScalarEvent) else None
        _last_of(key, events)
        value = next(events)
        last = _last_of(value, events)
        start, end = _start(value), last.end_mark.index if last.end_mark else _start(last)
        if isinstance(last, yaml.ScalarEvent) and last.style in ("|", ">"):
            # The mark is where the next token begins.
            end = start + len(text[start:end].rstrip(_BLANKS)) if last is value else end
        elif isinstance(last, yaml.CollectionEndEvent) and text[end - 1 : end] not in ("}", "]"):
            end = start + len(text[start:end].rstrip(_BLANKS))
        pairs.append(Pair(name, _start(key), start, end))
    return root, pairs


def _start(event: yaml.Event) -> int:
    """Where it begins; PyYAML's events of a text all know."""
    return event.start_mark.index if event.start_mark else 0


def _opens_stream(event: yaml.Event) -> bool:
    return isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent)


def _last_of(event: yaml.Event, events: Iterator[yaml.Event]) -> yaml.Event:
    """The event that ends the node which begins with `event`."""
    depth = 0
    while True:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if not depth:
            return event
        event = next(events)
