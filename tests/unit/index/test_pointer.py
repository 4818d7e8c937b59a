from __future__ import annotations

from nsledger.index.entries import Pointer, pack, unpack


def test_pointers_survive_being_packed() -> None:
    pointers = [Pointer(1, 0, 2**64 - 1), Pointer(2**63, 2**40, 7)]

    packed = pack(number for at in pointers for number in at)

    assert len(packed) == 48
    assert list(unpack(packed)) == pointers
    assert packed[:8] == b"\x01" + bytes(7)
