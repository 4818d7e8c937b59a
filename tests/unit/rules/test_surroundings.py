from __future__ import annotations

from nsledger.model.namespaces import NamespaceReading
from nsledger.rules.claims import JudgementContext


def test_nobody_is_beside_a_container_unless_it_is_said() -> None:
    alone = JudgementContext(host=NamespaceReading(pid=1), sandbox=None)

    assert not alone.siblings
    assert not alone.paths
    assert (alone.target, alone.pod_requested) == (None, None)
