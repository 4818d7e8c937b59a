from __future__ import annotations

from datetime import UTC

from nsledger.model.namespaces import NamespaceIdentity, NamespaceType
from nsledger.render.text import Screen
from nsledger.render.tree_text import Branch, Tree, draw


def test_a_namespace_of_many_takes_the_lines_that_it_needs() -> None:
    owners = tuple(f"default/web-{number}/app" for number in range(9))
    branch = Branch(
        type=NamespaceType.PID,
        identity=NamespaceIdentity(4, 4026531836),
        is_host=True,
        processes=9,
        owners=owners,
        branches=(),
    )
    screen = Screen(width=60, color=False, unicode=True, zone=UTC)

    lines = list(draw(Tree(pid=(branch,), unreadable_processes=0), screen))

    assert max(map(len, lines)) <= 60
    assert [word for line in lines for word in line.split() if "web" in word] == list(owners)
