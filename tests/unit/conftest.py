"""What unit tests of several rooms lay their tables with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.failing_disk import FailingDisk


@pytest.fixture
def disk() -> Iterator[FailingDisk]:
    """The disk under the ledger's files, which does as it is told until the test is over."""
    disk = FailingDisk()
    yield disk
    disk.works()
