"""Which source files a piece of work runs through: `python -m tools.files_crossed -- whois X ...`.

Counts with `sys.setprofile` the files of nsledger in which some function ran on this thread, while
one command was carried out. Importing a module runs no function of it, so imports do not count.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

PACKAGE = str(Path(__file__).parents[1] / "shim/nsledger") + "/"
_MODULE_LEVEL = "<module>"


@contextmanager
def counting() -> Generator[Counter[str]]:
    """Calls of functions by file, below shim/nsledger, on this thread, while the block runs."""
    calls: Counter[str] = Counter()

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE):
            importing = code.co_name == _MODULE_LEVEL or _in_class_body(frame)
            if not importing:
                calls[code.co_filename.removeprefix(PACKAGE)] += 1

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def _in_class_body(frame: FrameType) -> bool:
    """Whether `frame` runs while a module is being imported: its caller is module level code."""
    caller: FrameType | None = frame
    while caller is not None and caller.f_code.co_filename.startswith(PACKAGE):
        if caller.f_code.co_name == _MODULE_LEVEL:
            return True
        caller = caller.f_back
    return False


def crossed(work: Callable[[], object]) -> Counter[str]:
    """The files that `work` runs through, with the number of calls in each."""
    with counting() as calls:
        work()
    return calls


def main(arguments: list[str]) -> int:
    """Run a command of nsledger; say on standard error which files it ran through."""
    from nsledger.cli.main import run  # noqa: PLC0415 - what it imports is not counted

    words = [word for word in arguments if word != "--"]
    status = 0

    def work() -> None:
        nonlocal status
        status = run(words)

    calls = crossed(work)
    for file, count in sorted(calls.items()):
        sys.stderr.write(f"{count:7} {file}\n")
    sys.stderr.write(f"{len(calls)} files\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
