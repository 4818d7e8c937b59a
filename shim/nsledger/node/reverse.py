"""Taking our lines out of a file that somebody edited after us: bytes in, bytes out.

If the file is as we left it, its old bytes are put back. If not, each of our changes is looked for
in what is there now, with the lines around it, and undone where it stands exactly once; everything
else stays as the admin made it.
"""

from __future__ import annotations

import difflib
from typing import Final

from nsledger.errors import NsledgerError
from nsledger.node.root import Content

_CONTEXT_LINES: Final = 1


class EditedSinceError(NsledgerError):
    """A file whose lines around our change are no longer what they were."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path}: it was edited since, and our change cannot be told apart in it")
        self.hint = (
            "Take nsledger's lines out by hand (the diff of `nsledger install --dry-run` on a "
            "node like this one shows them), then run uninstall again."
        )
        self.path = path


def content_without_ours(
    path: str, *, before: Content | None, after: Content, now: Content | None
) -> Content | None:
    """What the file at `path` has to hold when our change is taken out of it; None: nothing.

    Raises:
        EditedSinceError: our change cannot be found, or stands there more than once.
    """
    if now is None or now == after:
        return before
    old = b"" if before is None else before.data
    data = restored(path, before=old, after=after.data, now=now.data)
    if before is None and not data.strip():
        return None
    return Content(data, now.mode, now.uid, now.gid)


def restored(path: str, *, before: bytes, after: bytes, now: bytes) -> bytes:
    """The file at `path` without our change; `before` and `after` are of our change, `now` is now.

    Raises:
        EditedSinceError: our change cannot be found, or stands there more than once.
    """
    if now == after:
        return before
    old, new, lines = (text.splitlines(keepends=True) for text in (before, after, now))
    if not _is_ours(old, new, lines):
        return now
    for group in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_grouped_opcodes(
        _CONTEXT_LINES
    ):
        _, old_from, _, new_from, _ = group[0]
        _, _, old_to, _, new_to = group[-1]
        wanted = new[new_from:new_to]
        places = [
            at
            for at in range(len(lines) - len(wanted) + 1)
            if lines[at : at + len(wanted)] == wanted
        ]
        if len(places) != 1:
            raise EditedSinceError(path=path)
        lines[places[0] : places[0] + len(wanted)] = old[old_from:old_to]
    return b"".join(lines)


def _is_ours(old: list[bytes], new: list[bytes], now: list[bytes]) -> bool:
    """Whether any line that we added is still there; if none is, the admin took them out."""
    return bool((set(new) - set(old)) & set(now))
