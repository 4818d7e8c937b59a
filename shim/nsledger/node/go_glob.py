"""Go's `filepath.Glob`, which containerd expands its imports with: pure but for listing.

It differs from Python's and the shell's: a name that begins with a dot is one like any other, every
part of the path may have wildcards, `**` is `*`, and `[^a]` is the complement.

Source: Go `path/filepath` `Glob`, `Match`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator


def go_glob(pattern: str, names: Callable[[str], list[str]]) -> list[str]:
    """The paths that match the absolute `pattern`, sorted as Go sorts them.

    `names` lists a directory; what is no directory has none. A pattern that Go refuses matches
    nothing.
    """
    places = ["/"]
    for part in posixpath.normpath(pattern).split("/")[1:]:
        compiled = _compiled(part)
        if compiled is None:
            return []
        places = [
            posixpath.join(place, name)
            for place in places
            for name in sorted(names(place))
            if compiled.fullmatch(name)
        ]
    return places


def go_match(pattern: str, name: str) -> bool:
    """Whether one part of a path matches one part of a pattern."""
    compiled = _compiled(pattern)
    return compiled is not None and compiled.fullmatch(name) is not None


def _compiled(part: str) -> re.Pattern[str] | None:
    """`part` as a regular expression; None if Go calls it ErrBadPattern."""
    try:
        return re.compile("".join(_pieces(part)), re.DOTALL)
    except (re.error, ValueError):
        return None


def _pieces(part: str) -> Iterator[str]:
    at = 0
    while at < len(part):
        char = part[at]
        if char == "*":
            yield ".*"
        elif char == "?":
            yield "."
        elif char == "[":
            end = part.index("]", at + 1)
            negated = part.startswith("^", at + 1)
            inside = part[at + 1 + negated : end]
            if not inside:
                raise ValueError(part)
            yield f"[{'^' if negated else ''}{_in_class(inside)}]"
            at = end
        elif char == "\\":
            at += 1
            if at == len(part):
                raise ValueError(part)
            yield re.escape(part[at])
        else:
            yield re.escape(char)
        at += 1


def _in_class(text: str) -> str:
    """The inside of Go's character class for Python; ranges are the same."""
    return re.sub(r"[\[\]^&~|]", lambda found: f"\\{found[0]}", text)
