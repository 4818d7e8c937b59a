from __future__ import annotations

from hpack.table import HeaderTable

from nsledger.relay.h2.hpack import STATIC_TABLE


def test_the_static_table_is_the_librarys() -> None:
    assert list(HeaderTable.STATIC_TABLE) == list(STATIC_TABLE[1:])
