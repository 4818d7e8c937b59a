"""One key changes, in JSON and in every shape of YAML, and what cannot be so is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nsledger.node.kubelet_configuration import (
    KEY,
    KubeletConfigurationError,
    parse,
    with_key_of,
    with_value,
)

OURS = "unix:///run/nsledger/cri.sock"
THEIRS = "unix:///run/containerd/containerd.sock"
PATH = "/var/lib/kubelet/config.yaml"


def changed(text: str) -> str:
    return with_value(PATH, text.encode(), OURS).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: 1\n", f"a: 1\n{KEY}: {OURS}\n"),
        ("a: 1", f"a: 1\n{KEY}: {OURS}\n"),
        ("a: 1\r\n", f"a: 1\r\n{KEY}: {OURS}\r\n"),
        (f"{KEY}: {THEIRS}\nb: 2\n", f"{KEY}: {OURS}\nb: 2\n"),
        (f'{KEY}: ""  # none\nb: 2\n', f"{KEY}: {OURS}  # none\nb: 2\n"),
        (f"{KEY}:\nb: 2\n", f"{KEY}: {OURS}\nb: 2\n"),
        (f"x:\n  {KEY}: y\n", f"x:\n  {KEY}: y\n{KEY}: {OURS}\n"),
        (f"{KEY}:\n  {THEIRS}\nb: 2\n", f"{KEY}:\n  {OURS}\nb: 2\n"),
        (f"{KEY}: |-\n  {THEIRS}\nb: 2\n", f"{KEY}: {OURS}\nb: 2\n"),
        (f"{KEY}: >\n  {THEIRS}\n\nb: 2\n", f"{KEY}: {OURS}\n\nb: 2\n"),
        (f"  a: 1\n  {KEY}: {THEIRS}\n", f"  a: 1\n  {KEY}: {OURS}\n"),
        ("  a: 1\n  b: 2\n", f"  a: 1\n  b: 2\n  {KEY}: {OURS}\n"),
        ("---\na: 1\n...\n", f"---\na: 1\n{KEY}: {OURS}\n...\n"),
        ("---\na: 1\n---\nb: 2\n", f"---\na: 1\n{KEY}: {OURS}\n---\nb: 2\n"),
        (f'"{KEY}": {THEIRS}\n', f'"{KEY}": {OURS}\n'),
        (f"{KEY} : '{THEIRS}'\n", f"{KEY} : {OURS}\n"),
        (f"? {KEY}\n: {THEIRS}\n", f"? {KEY}\n: {OURS}\n"),
        (f"\ufeffa: 1\n{KEY}: {THEIRS}\n", f"\ufeffa: 1\n{KEY}: {OURS}\n"),
        ("\ufeffa: 1\n", f"\ufeffa: 1\n{KEY}: {OURS}\n"),
        (f"a: &e {THEIRS}\n{KEY}: *e\n", f"a: &e {THEIRS}\n{KEY}: {OURS}\n"),
        ("a: |\n  x\n  y\n", f"a: |\n  x\n  y\n{KEY}: {OURS}\n"),
        ("a: |+\n  x\n\n", f"{KEY}: {OURS}\na: |+\n  x\n\n"),
        ("a:\n- 1\n# end\n", f"a:\n- 1\n# end\n{KEY}: {OURS}\n"),
        ("%YAML 1.1\n--- # c\na: 1\n", f"%YAML 1.1\n--- # c\na: 1\n{KEY}: {OURS}\n"),
        ("{a: 1, b: 2}\n", f'{{a: 1, b: 2, "{KEY}": "{OURS}"}}\n'),
        (f"{{a: 1, {KEY}: x, }}\n", f'{{a: 1, {KEY}: "{OURS}", }}\n'),
        ("{a: 1,\n}\n", f'{{a: 1, "{KEY}": "{OURS}",\n}}\n'),
    ],
)
def test_one_key_of_yaml_changes_in_whichever_shape(before: str, after: str) -> None:
    assert changed(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}", f'{{"{KEY}": "{OURS}"}}'),
        ('{"a": 1}', f'{{"a": 1, "{KEY}": "{OURS}"}}'),
        ('{\n\t"a": {"}": "{"}\n}\n', f'{{\n\t"a": {{"}}": "{{"}},\n\t"{KEY}": "{OURS}"\n}}\n'),
        (f'{{"{KEY}" :"x" ,"b": 2}}', f'{{"{KEY}" :"{OURS}" ,"b": 2}}'),
        (f'{{"{KEY}":null}}', f'{{"{KEY}":"{OURS}"}}'),
        (f'{{"{KEY[:-1]}\\u0074": ""}}', f'{{"{KEY[:-1]}\\u0074": "{OURS}"}}'),
        ('\n {"a": 1e3}', f'\n {{"a": 1e3, "{KEY}": "{OURS}"}}'),
        (f'{{"x": {{"{KEY}": "y"}}}}', f'{{"x": {{"{KEY}": "y"}}, "{KEY}": "{OURS}"}}'),
    ],
)
def test_json_stays_json(before: str, after: str) -> None:
    assert changed(before) == after
    assert json.loads(after)[KEY] == OURS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{KEY}: a\nb: 1\n{KEY}: b\n", ":3: found .* a second time"),
        (f'{{"{KEY}": "a",\n "{KEY}": "b"}}', ":2: found .* a second time"),
        ("a: 1\n\tb: 2\n", ":2: found no YAML"),
        ("", ":1: found no mapping"),
        ("- a\n", ":1: found no mapping"),
        ("# nothing\n", ":1: found no mapping"),
        ('{"a": 1', ":1: found no YAML"),
        (f"{KEY}: &e {THEIRS}\nb: *e\n", ":1: found no way to set"),
    ],
)
def test_what_cannot_be_changed_alone_is_refused_by_file_and_line(text: str, found: str) -> None:
    with pytest.raises(KubeletConfigurationError, match=f"^{PATH}{found}"):
        changed(text)


def test_what_is_no_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(KubeletConfigurationError, match=r"config\.yaml:2: found byte 0xff"):
        with_value(PATH, b"a: 1\nb: \xff\n", OURS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f"{KEY}: ~\n", None),
        (f'{KEY}: ""\n', None),
        ("a: 1\n", None),
        (f"{KEY}: '{THEIRS} '\n", f"{THEIRS} "),
        (f"base: &b {{{KEY}: x}}\n<<: *b\n", "x"),
    ],
)
def test_the_value_is_what_the_kubelet_reads(text: str, value: str | None) -> None:
    assert parse(PATH, text.encode()).value == value


@pytest.mark.parametrize(
    "before",
    [
        "a: 1\n",
        f"a: 1\n{KEY}: {THEIRS}\nb: 2\n",
        f'{KEY}: ""\na: 1\n',
        f"{KEY}: |-\n  {THEIRS}\na: 1\n",
        '{"a": 1}',
        f'{{"{KEY}": "x", "a": 1}}',
        "{a: 1}\n",
    ],
)
def test_the_old_value_comes_back_into_a_file_that_was_edited_since(before: str) -> None:
    def edited(text: str) -> str:
        return text.replace("a: 1", "a: 3").replace('"a": 1', '"a": 3')

    now = edited(changed(before))

    back = with_key_of(PATH, now.encode(), before.encode()).decode()

    assert back == edited(before)


keys = st.text("abcXYZ_-", min_size=1, max_size=6).filter(lambda key: key not in ("-", "--"))
scalars = st.none() | st.booleans() | st.integers(-9, 99) | st.text("ab :#'\"{}[]|>\n", max_size=9)
values = st.recursive(
    scalars, lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=3)
)


@given(
    content=st.dictionaries(keys, values, min_size=1, max_size=5),
    old=st.none() | st.sampled_from(["", THEIRS, "unix:/a b"]),
    style=st.sampled_from(["json", "indented json", "block", "flow", "quoted"]),
    head=st.sampled_from(["", "---\n", "# c\n"]),
    end=st.sampled_from(["", "...\n"]),
)
def test_of_any_configuration_the_key_alone_changes_and_comes_back(
    content: dict[str, Any], old: str | None, style: str, head: str, end: str
) -> None:
    wanted = dict(content) if old is None else {**content, KEY: old}
    if "json" in style:
        text = json.dumps(wanted, indent=2 if "indented" in style else None)
    else:
        flow, quotes = style == "flow", '"' if style == "quoted" else None
        dumped = yaml.safe_dump(wanted, default_flow_style=flow, default_style=quotes)
        text = f"{head}{dumped}{end}"

    after = with_value(PATH, text.encode(), OURS)

    read = json.loads if "json" in style else yaml.safe_load
    assert read(after) == {**content, KEY: OURS}
    assert read(with_key_of(PATH, after, text.encode())) == wanted
