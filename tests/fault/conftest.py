from __future__ import annotations

import tempfile
from collections.abc import Iterator

import pytest


@pytest.fixture
def room() -> Iterator[str]:
    """A directory short enough for the paths of sockets."""
    with tempfile.TemporaryDirectory(prefix="nsl-", dir="/tmp") as directory:
        yield directory
