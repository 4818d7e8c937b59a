"""Fixtures of the contract tests."""

from __future__ import annotations

import pytest

from tests.conftest import PROTOC, UPSTREAM_PROTO
from tests.contract.upstream import Upstream


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    """Upstream's messages; a test that asks for them is marked `upstream_proto`."""
    return Upstream(UPSTREAM_PROTO, protoc=PROTOC, into=tmp_path_factory.mktemp("upstream"))
