from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from nsledger.render import page
from tests.drawing import HOSTILE, hostile_node, report_of
from tests.synthetic_node import SyntheticNode, example_node

LOADING = {"src", "srcset", "href", "action", "formaction", "data", "poster", "background"}


class Parsed(HTMLParser):
    """What an HTML parser takes the page for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[tuple[str, str]] = []
        """Tag and content of every text."""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.inside.append((self.tags[-1][0] if self.tags else "", data))

    def of(self, tag: str) -> list[str]:
        return [text for name, text in self.inside if name == tag]


def data_of(text: str) -> dict[str, Any]:
    block = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert block is not None
    found: dict[str, Any] = json.loads(block[1])
    return found


@pytest.fixture(scope="module")
def hostile() -> str:
    return page.draw(report_of(hostile_node()))


def test_the_page_is_one_file_that_names_no_other() -> None:
    parsed = Parsed(page.draw(report_of(example_node())))

    for tag, attributes in parsed.tags:
        loading = LOADING & attributes.keys()
        assert not loading or (tag, attributes) == ("a", {"class": "skip", "href": "#picture"})
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    assert not any(re.search(r"url\(|@import|@font-face", text) for text in parsed.of("style"))


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else(hostile: str) -> None:
    parsed = Parsed(hostile)
    (policy,) = [
        str(attributes["content"])
        for tag, attributes in parsed.tags
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    assert rules.pop("script-src") == _hash(
        re.findall(r"<script>(.*?)</script>", hostile, re.DOTALL)
    )
    assert rules.pop("style-src") == _hash(re.findall(r"<style>(.*?)</style>", hostile, re.DOTALL))
    assert set(rules) == {"default-src", "base-uri", "form-action"}
    assert set(rules.values()) == {"'none'"}


def _hash(found: list[str]) -> str:
    (text,) = found
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_stands_before_all_that_it_is_about(hostile: str) -> None:
    assert hostile.index("Content-Security-Policy") < hostile.index("<style>")


def test_no_hostile_name_adds_a_tag_to_the_page(hostile: str) -> None:
    tags = [tag for tag, _ in Parsed(hostile).tags]

    assert tags == [tag for tag, _ in Parsed(page.draw(report_of(example_node()))).tags]


def test_a_hostile_name_is_in_the_data_as_it_is_or_as_it_is_made_visible(hostile: str) -> None:
    names = {pod["name"] for pod in data_of(hostile)["pods"]}

    assert set(HOSTILE[:6]) <= names
    assert "\\u202eevil\\u2066\\u200b\\u2028\\x00\\x1b[2J" in names


def test_a_node_with_a_hostile_name_is_only_a_title() -> None:
    node = SyntheticNode()
    node.start_daemon()
    node.records[0] = node.records[0].replace(b"node-1", b"</title><script>x</script>@DATA@")

    text = page.draw(report_of(node))

    assert "<title>Namespaces on &lt;/title&gt;&lt;script&gt;" in text
    assert text.count("<script") == 2


def test_the_same_ledger_makes_the_same_page() -> None:
    assert page.draw(report_of(example_node())) == page.draw(report_of(example_node()))


def test_a_page_of_nothing_is_a_page() -> None:
    text = page.draw(report_of(SyntheticNode()))

    assert "<title>Namespaces on a node" in text
    assert data_of(text)["pods"] == []


def test_json_in_html_means_the_same() -> None:
    value = {"</script>": ["<!--", "&amp;", "\u2028"]}

    text = page.inert(json.dumps(value, ensure_ascii=False).encode())

    assert json.loads(text) == value
    assert not set("<>&") & set(text)
