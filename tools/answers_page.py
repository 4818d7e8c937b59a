"""Writes docs/answers.md, the keys of every `-o json`, from the types and what is said beside them.

`python -m tools.answers_page --write` does it; a test keeps the page up to date.
"""

from __future__ import annotations

import ast
import enum
import inspect
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal, Union, cast

import msgspec

from nsledger.cli.schemas import TYPES
from nsledger.node.doctor import outcome
from nsledger.render.schemas import answer_schema

PAGE: Final = Path(__file__).parents[1] / "docs" / "answers.md"
_OPENING: Final = """\
# What `-o json` answers

<!-- Made by `python -m tools.answers_page --write` from the code; a test keeps it so. -->

`-o yaml` has the same keys. A key that stands here keeps its name and its meaning; later versions
add keys, and words to those marked *more may come*, so pass over what you do not know. Times are
RFC 3339 in UTC with nanoseconds. `nsledger schema COMMAND` prints the same as JSON Schema.
`nsledger log -o json` is an array of records, which `nsledger schema` describes; `nsledger sql -o
json` is an array of objects whose keys are the columns asked for.

"""


def page() -> str:
    """The whole page."""
    parts = [_OPENING]
    told: list[type] = []
    for command, answer in TYPES.items():
        inner = answer.__args__[0] if getattr(answer, "__origin__", None) is list else answer
        array = "an array of " if inner is not answer else ""
        parts.append(f"* `nsledger {command}`: {array}[{_title(inner)}](#{_anchor(inner)})\n")
        for one in _reached(inner, command):
            if one not in told:
                told.append(one)
    told.sort(key=_title)
    parts += [_section(one) for one in told]
    return "".join(parts)


def _reached(answer: type, command: str) -> Iterator[type]:
    """`answer`, and all that its fields lead to."""
    wanted = set(answer_schema(command, answer)["$defs"])
    seen: list[type] = []
    queue = [answer]
    while queue:
        one = queue.pop(0)
        if one in seen:
            continue
        seen.append(one)
        if issubclass(one, msgspec.Struct):
            for field in msgspec.structs.fields(one):
                queue += _types_in(field.type)
    if {one.__name__ for one in seen} != wanted:
        raise LookupError(f"found {seen} in the answer of {command}, its schema has {wanted}")
    yield from seen


def _types_in(annotation: Any) -> list[type]:  # noqa: ANN401 - whatever a field may have
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct | enum.Enum):
        return [annotation]
    return [found for inner in getattr(annotation, "__args__", ()) for found in _types_in(inner)]


def _section(one: type) -> str:
    said = _said_beside(one)
    lines = [f"\n## {_title(one)}\n\n{inspect.cleandoc(one.__doc__ or '')}\n\n"]
    if issubclass(one, enum.Enum):
        lines.append("| word, more may come | meaning |\n|---|---|\n")
        lines += [f"| `{member.value}` | {said.get(member.name, '')} |\n" for member in one]
    else:
        lines.append("| key | holds | meaning |\n|---|---|---|\n")
        for field in msgspec.structs.fields(cast("type[msgspec.Struct]", one)):
            lines.append(
                f"| `{field.encode_name}` | {_holds(field.type)} | {said.get(field.name, '')} |\n"
            )
    return "".join(lines)


def _said_beside(one: type) -> dict[str, str]:
    """What stands as a text under each field or member, on one line."""
    (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(one))).body
    found: dict[str, str] = {}
    body = cast("ast.ClassDef", tree).body
    for before, after in itertools.pairwise(body):
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = " ".join(str(after.value.value).split()).replace("|", "\\|")
            match before:
                case ast.AnnAssign(target=ast.Name(id=name)):
                    found[name] = text
                case ast.Assign(targets=[ast.Name(id=name)]):
                    found[name] = text
                case _:
                    pass
    return found


def _holds(annotation: Any) -> str:  # noqa: ANN401 - the same
    """A field's type in words."""
    if hasattr(annotation, "__metadata__"):  # the range of a number
        annotation = annotation.__origin__
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct | enum.Enum):
        return f"[{_title(annotation)}](#{_anchor(annotation)})"
    origin = getattr(annotation, "__origin__", None)
    if origin is Literal:
        return " or ".join(f"`{word}`" for word in annotation.__args__)
    inner = [_holds(one) for one in annotation.__args__ if one is not Ellipsis]
    if origin in {tuple, list}:
        return f"array of {', '.join(dict.fromkeys(inner))}"
    if origin in {None, Union}:
        return " or ".join(inner)
    return f"object: {inner[0]} to {inner[1]}"


_PLAIN: Final[dict[Any, str]] = {
    str: "text",
    int: "integer",
    float: "number",
    bool: "true or false",
    type(None): "null",
}


def _title(one: type) -> str:
    return "Check" if one is outcome.CheckResult else one.__name__


def _anchor(one: type) -> str:
    return _title(one).lower()


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
