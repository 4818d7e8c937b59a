"""An edit sets our keys; comments, order, line ends and everything else stay."""

from __future__ import annotations

import difflib
import tomllib
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from nsledger.node.containerd_edit import handler_section, significant, with_handlers, with_import

PLUGIN = "io.containerd.grpc.v1.cri"
RUNC = f'[plugins."{PLUGIN}".containerd.runtimes.runc]'

MAIN = f"""\
# the head
version = 2
# of the cluster

[plugins]
  [plugins."{PLUGIN}"]
    sandbox_image = "pause"  # mirrored
    {RUNC}
      runtime_type = "io.containerd.runc.v2"  # the shim
      pod_annotations = ["a/*"]
      [plugins."{PLUGIN}".containerd.runtimes.runc.options]
        SystemdCgroup = true

[timeouts]
  "io.containerd.timeout.shim.load" = "5s"
"""

OURS: dict[str, Any] = {
    "base_runtime_spec": "/etc/spec.json",
    "pod_annotations": ["a/*", "nsledger.dev/*"],
}

RUNC_PLACE = ("runtimes", "runc")


def changes(before: str, after: str) -> list[str]:
    """The lines that came and went, but for empty ones."""
    compared = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in compared if line[0] in "+-" and line[2:].strip()]


def test_our_keys_are_set_and_no_other_line_is_touched() -> None:
    after = with_handlers(MAIN, PLUGIN, {RUNC_PLACE: OURS})

    assert changes(MAIN, after) == [
        '-       pod_annotations = ["a/*"]',
        '+       pod_annotations = ["a/*", "nsledger.dev/*"]',
        '+       base_runtime_spec = "/etc/spec.json"',
    ]


def test_what_is_set_already_changes_nothing() -> None:
    once = with_handlers(MAIN, PLUGIN, {RUNC_PLACE: OURS})

    assert with_handlers(once, PLUGIN, {RUNC_PLACE: OURS}) == once


def test_a_handler_that_is_not_named_yet_is_put_behind_everything_else() -> None:
    kata = {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": "crun"}}

    after = with_handlers(MAIN, PLUGIN, {("runtimes", "my crun"): kata})

    assert after.startswith(MAIN)
    runtimes = tomllib.loads(after)["plugins"][PLUGIN]["containerd"]["runtimes"]
    assert runtimes["my crun"] == kata
    assert runtimes["runc"]["options"] == {"SystemdCgroup": True}


def test_a_file_with_crlf_keeps_it_everywhere() -> None:
    dos = MAIN.replace("\n", "\r\n")

    for after in (
        with_handlers(dos, PLUGIN, {RUNC_PLACE: OURS, ("runtimes", "crun"): OURS}),
        with_import(dos, "/etc/containerd/conf.d/zz-nsledger.toml"),
    ):
        assert after.count("\n") == after.count("\r\n") > dos.count("\n")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version = 2\n", 'version = 2\nimports = ["/ours"]\n'),
        ('imports = ["/a"]\n', 'imports = ["/a", "/ours"]\n'),
        ('imports = [\n  "/a", # one\n]\n', 'imports = [\n  "/a", # one\n  "/ours",\n]\n'),
        ('imports = ["/ours", "/a"]\n', 'imports = ["/ours", "/a"]\n'),
        ("version = 2\n[a]\nb = 1\n", 'version = 2\nimports = ["/ours"]\n[a]\nb = 1\n'),
    ],
)
def test_an_import_is_added_behind_the_others_and_once(before: str, after: str) -> None:
    edited = with_import(before, "/ours")

    assert changes(after, edited) == []


def test_zero_values_are_not_repeated() -> None:
    printed = {"a": "", "b": 0, "c": False, "d": [], "e": {}, "f": {"g": ""}, "h": {"i": 1}}

    assert significant(printed) == {"h": {"i": 1}}


def test_a_section_of_its_own_is_whole() -> None:
    text = handler_section(PLUGIN, RUNC_PLACE, {"runtime_type": "x", "options": {"Root": "/r"}})

    runtimes = tomllib.loads(text)["plugins"][PLUGIN]["containerd"]["runtimes"]
    assert runtimes == {"runc": {"runtime_type": "x", "options": {"Root": "/r"}}}


words = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8)
scalars = st.booleans() | st.integers(-(2**63), 2**63 - 1) | words
tables = st.recursive(
    st.dictionaries(words, scalars | st.lists(words, max_size=3), max_size=4),
    lambda inner: st.dictionaries(words, scalars | inner, max_size=4),
    max_leaves=8,
)


@given(section=tables, handler=tables)
def test_whatever_else_a_section_holds_stays(
    section: dict[str, Any], handler: dict[str, Any]
) -> None:
    cri = {**section, "containerd": {"runtimes": {"runc": {**handler, "runtime_type": "x"}}}}
    text = tomlkit.dumps({"version": 2, "plugins": {PLUGIN: cri}})

    after = tomllib.loads(with_handlers(text, PLUGIN, {RUNC_PLACE: OURS}))["plugins"][PLUGIN]

    assert after["containerd"]["runtimes"]["runc"] == {**handler, "runtime_type": "x", **OURS}
    assert {**after, "containerd": cri["containerd"]} == cri
