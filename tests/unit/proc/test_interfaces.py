from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from nsledger.proc.interfaces import is_bridge, is_name


@pytest.mark.parametrize("name", ["veth5f47613f", "eth0", "cali0a.1-b_c", "x" * 15, "é"])
def test_what_the_kernel_takes_is_a_name(name: str) -> None:
    assert is_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../../etc", "a b", "a:1", "a\0", "x" * 16, "é" * 8]
)
def test_what_it_refuses_is_none(name: str) -> None:
    assert not is_name(name)


@pytest.fixture
def bridge() -> Iterator[str]:
    name = "nslbr-test"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    yield name
    subprocess.run(["ip", "link", "del", name], check=True)


@pytest.mark.root
def test_a_bridge_is_told_from_what_is_none(bridge: str) -> None:
    assert is_bridge(bridge)
    assert not is_bridge("lo")
    assert not is_bridge("nsl-none")
