"""Man pages from the commands' own help: `python -m tools.man_pages DIRECTORY` writes them.

They say what `--help` says, in man(7)'s form, so the two cannot disagree.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from nsledger.cli.main import command as group

_TITLE = re.compile(r"([A-Z][A-Za-z ]+):").fullmatch


def pages() -> Iterator[tuple[str, str]]:
    """File name and content of every page."""
    context = click.Context(group, info_name="nsledger")
    names = group.list_commands(context)
    see = [f"nsledger-{name}" for name in names]
    yield "nsledger.1", _page(group, context, _short(group.help or ""), see)
    for name in names:
        one = group.get_command(context, name)
        if one is not None:
            inner = click.Context(one, info_name=name, parent=context)
            purpose = group.purposes[name]
            yield f"nsledger-{name}.1", _page(one, inner, purpose, ["nsledger"])


def _page(one: click.Command, context: click.Context, purpose: str, see: list[str]) -> str:
    title = context.command_path.replace(" ", "-")
    usage = " ".join(one.collect_usage_pieces(context))
    lines = [
        f'.TH {title.upper()} 1 "" nsledger "nsledger manual"',
        ".SH NAME",
        f"{_text(title)} \\- {_text(purpose.rstrip('.'))}",
        ".SH SYNOPSIS",
        f".B {_text(context.command_path)}",
        _text(usage),
        ".SH DESCRIPTION",
        *_paragraphs(one.help or ""),
        ".SH OPTIONS",
        *_options(one, context),
        *_sections(one.epilog or ""),
        ".SH SEE ALSO",
        ",\n".join(f".BR {_text(name)} (1)" for name in see).replace(",\n", "\n"),
    ]
    return "\n".join(lines) + "\n"


def _short(text: str) -> str:
    return text.strip().partition("\n")[0]


def _options(one: click.Command, context: click.Context) -> Iterator[str]:
    for parameter in one.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            yield ".TP"
            yield f".B {_text(record[0])}"
            yield _text(record[1])


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of help; those that click is told not to wrap are kept as they are."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.startswith("\b"):
            yield from _verbatim(paragraph.removeprefix("\b").strip("\n").split("\n"))
        else:
            yield _text(" ".join(paragraph.split()))


def _sections(epilog: str) -> Iterator[str]:
    """What stands below the options, each part under its own title."""
    for paragraph in re.split(r"\n\s*\n|\b\n(?=\b)", epilog.replace("\b\n", "\n\n").strip()):
        lines = [line for line in paragraph.split("\n") if line.strip()]
        if not lines:
            continue
        title = _TITLE(lines[0])
        if title is None:
            yield ".PP"
            yield _text(" ".join(paragraph.split()))
        else:
            yield f".SH {title[1].upper()}"
            yield from _verbatim(lines[1:])


def _verbatim(lines: list[str]) -> Iterator[str]:
    yield ".nf"
    yield from map(_text, lines)
    yield ".fi"


def _text(text: str) -> str:
    """`text` as roff takes it: nothing in it is a request or an escape."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    escaped = escaped.replace("`", "\\(ga")
    escaped = re.sub(r"[^\x00-\x7f]", lambda sign: f"\\[u{ord(sign[0]):04X}]", escaped)
    return f"\\&{escaped}" if escaped.startswith((".", " ")) else escaped


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for file_name, content in pages():
        (directory / file_name).write_text(content, encoding="utf-8")
