"""What a command's exit status says: the same for every command, so that scripts can rely on it."""

from __future__ import annotations

from typing import Final

OK: Final = 0
FOUND: Final = 1
"""The ledger is damaged, or layers disagree: the answer is there and it is bad news."""
USAGE: Final = 2
"""The command line asks for something that cannot be, or for more than one thing."""
NO_ANSWER: Final = 3
"""The ledger cannot be read, or holds no record of what was asked for."""
INTERRUPTED: Final = 130
"""128 + SIGINT, as a shell says it."""
PIPE_CLOSED: Final = 141
"""128 + SIGPIPE: the reader had all that it wanted."""

IN_HELP: Final = """\b
Exit status:
  0  answered
  1  bad news: the ledger is damaged, or layers disagree
  2  wrong usage, or a name that fits several pods
  3  no answer: the ledger cannot be read, or has no record of it
"""

OF_CHANGES: Final = """\b
Exit status:
  0  done, nothing to do, or "written, not proved": the last line says which
  1  not complete: the last line names what is missing, or what was left
  2  wrong usage
  3  not done: the node is as it was, and the message says why
"""

OF_CHECKS: Final = """\b
Exit status:
  0  nothing failed
  1  a check failed
  2  wrong usage
"""
