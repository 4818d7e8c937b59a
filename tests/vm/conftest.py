"""The one machine of a test run, from before nsledger comes until after it is gone.

A boot takes a minute, so there is one machine, and what is done to it is done in the order of
_ORDER: each file finds the machine as the ones before left it. What fails first says the most.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import VIRTUAL_NODE
from tests.vm.brought import NoPackageError, bring
from tests.vm.machine import Machine
from tests.vm.node import Node

_ORDER = (
    "test_package",
    "test_installed_machine",
    "test_pods_on_cgroup_v2",
    "test_failing_daemon",
    "test_upgraded_package",
    "test_reboots",
    "test_leaving",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of this directory into their order; the order within a file stays."""

    def place(item: pytest.Item) -> int:
        name = item.path.stem
        return _ORDER.index(name) if item.get_closest_marker("vm") and name in _ORDER else -1

    items.sort(key=place)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """The machine, as a node that knows nothing of nsledger."""
    # Short, because the path of a Unix socket has at most 107 bytes.
    directory = tmp_path_factory.mktemp("vm")
    try:
        brought = bring(directory)
    except NoPackageError as error:
        if "No matching distribution" in str(error):
            pytest.skip("the package index has no wheels for Python 3.13")
        raise
    with Machine(VIRTUAL_NODE, directory, brought.tar) as machine:
        machine.power_on()
        node = Node(machine, brought.version, brought.next_version)
        node.prepare()
        yield node


@pytest.fixture(scope="session")
def installed(node: Node) -> Node:
    """The machine with nsledger on it: the package, and what `nsledger install` does."""
    if node.machine.attempt("test", "-e", "/usr/bin/nsledger").code:
        node.install_package("current")
    node.install()
    return node
