"""A file that a command writes for its user: all of it is there, or what was there before."""

from __future__ import annotations

import os
import sys
import tempfile


def write_whole(path: str, text: str) -> None:
    """Write `text` to `path`, in UTF-8 whatever the locale is; `-` is standard output.

    What is no regular file, such as a FIFO, is written into.

    Raises:
        OSError: it cannot be written; a file that was there is as it was.
    """
    if path == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode())
        return
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return
    place = os.path.realpath(path)  # a link stays, and leads to what is new
    descriptor, unfinished = _beside(place)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), _mode(place))
        os.replace(unfinished, place)
    except BaseException:
        os.unlink(unfinished)
        raise


def _beside(place: str) -> tuple[int, str]:
    directory, name = os.path.split(place)
    try:
        return tempfile.mkstemp(dir=directory, prefix=f".{name[:64]}.")
    except OSError as error:
        error.filename = place  # the one that the user knows of
        raise


def _mode(place: str) -> int:
    """That of the file which is replaced; of a new one, as the umask has it."""
    try:
        return os.stat(place).st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
