"""The page of `nsledger report` in a real browser: what it shows, asks for, and lets nobody do."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from nsledger.render import page, svg
from tests.chromium import Chromium, Tab
from tests.drawing import HOSTILE, busy_node, hostile_node, picture_of, report_of
from tests.synthetic_node import SyntheticNode, odd_node

pytestmark = pytest.mark.chromium

PODS: Final = 300
SIZE_BYTES: Final = 2 << 20
LOAD_MS: Final = 3000
ANSWER_MS: Final = 300
ELEMENTS: Final = 8000
"""Bounds for `PODS` pods. Measured on 2 cores: 1.7 MB, 410 ms, 40 ms and 3,200 elements."""

NAMED: Final = {"button", "textbox", "searchbox", "combobox", "radio", "table"}
VIEWS: Final = ("pods", *map(str, range(8)))

Open = Callable[..., Tab]

# What is behind a text: the first colour, going outwards, that can be seen.
CONTRASTS: Final = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const pixel = (...colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const found = [];
    for (let one = element; one; one = one.parentElement)
      found.unshift(getComputedStyle(one).backgroundColor);
    return found;
  };
  const poor = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const isDrawn = element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!texts.currentNode.data.trim() || !isDrawn || element.closest("script, .unseen")) continue;
    const ground = behind(element);
    const color = getComputedStyle(element).color;
    const [one, other] = [light(pixel(...ground)), light(pixel(...ground, color))];
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) poor.push([texts.currentNode.data.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  return poor;
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The path of a page, made once."""
    directory = tmp_path_factory.mktemp("pages")
    nodes: dict[str, Callable[[], SyntheticNode]] = {
        "odd": odd_node,
        "hostile": hostile_node,
        "busy": lambda: busy_node(PODS),
    }

    def made(name: str) -> Path:
        path = directory / f"{name}.html"
        if not path.exists():
            path.write_text(page.draw(report_of(nodes[name]())), encoding="utf-8")
        return path

    return made


@pytest.fixture
def show(browser: Chromium, pages: Callable[[str], Path]) -> Iterator[Open]:
    """Open the page of a node; closed at the end."""
    tabs: list[Tab] = []

    def show(name: str, *, width: int = 1280, height: int = 900, dark: bool = False) -> Tab:
        tabs.append(browser.open(pages(name), width=width, height=height, dark=dark))
        return tabs[-1]

    yield show
    for tab in tabs:
        tab.close()


def text(tab: Tab, selector: str) -> str:
    return str(tab.evaluate(f"document.querySelector({selector!r}).innerText"))


def texts(tab: Tab, selector: str) -> list[str]:
    return list(
        tab.evaluate(f"[...document.querySelectorAll({selector!r})].map(one => one.textContent)")
    )


def choose(tab: Tab, view: str) -> None:
    tab.evaluate(f"document.querySelector('input[name=view][value=\"{view}\"]').click()")
    tab.settle()


def open_all(tab: Tab) -> None:
    tab.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    tab.settle()


def focused(tab: Tab) -> str:
    return str(
        tab.evaluate("document.activeElement.id || document.activeElement.innerText.slice(0, 40)")
    )


def test_it_says_what_show_and_findings_say_and_complains_of_nothing(show: Open) -> None:
    tab = show("odd")

    assert text(tab, "h1") == "Namespaces on node-1"
    assert texts(tab, ".card h3")[0] == "default/odd"  # what is worth a look comes first
    strayed = texts(tab, ".card:first-child tbody tr:nth-child(2) .word")
    assert strayed == ["pod", "pod", "pod", "host", "private", "host", "private", "host"]
    assert "requested CONTAINER, got host" in text(tab, ".card:first-child .bad-line")
    assert len(texts(tab, ".finding")) == 8
    for view in VIEWS:
        choose(tab, view)
        open_all(tab)
    assert tab.complaints() == []


def test_why_is_told_in_the_words_of_explain(show: Open) -> None:
    tab = show("odd")

    open_all(tab)

    said = "\n".join(texts(tab, ".why dd"))
    assert "share one network, with its ports and its localhost" in said
    assert "CRI asked for its own (CONTAINER)" in said


def test_of_one_type_the_hosts_is_a_box_of_its_own_and_comes_first(show: Open) -> None:
    tab = show("odd")

    choose(tab, "3")

    first, *others = texts(tab, ".box header")
    assert first == "pid:[4026531836]\u25b2 the node's own, with 2 pods in it"
    assert not any("\u25b2" in one for one in others)
    assert set(texts(tab, ".box.host .chip")) == {"strayed", "sandbox", "agent"}


def test_it_asks_for_nothing_but_itself(show: Open, pages: Callable[[str], Path]) -> None:
    for name in ("odd", "hostile"):
        tab = show(name)
        for view in VIEWS:
            choose(tab, view)

        assert tab.requests() == [pages(name).as_uri()]


def test_what_would_get_in_could_neither_run_nor_load_nor_send(show: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        markup = f"<img src={address} onerror=alert(1)><iframe src={address}></iframe>"
        script = "Object.assign(document.createElement('script'), { textContent: 'alert(2)' })"
        tab = show("odd")

        tab.evaluate(f"document.body.insertAdjacentHTML('beforeend', '{markup}')")
        tab.evaluate(f"document.body.append({script})")
        tab.evaluate(f"fetch('{address}').catch(() => 0)")
        tab.evaluate(f"navigator.sendBeacon('{address}')")
        tab.settle()

        refused = [one for one in tab.complaints() if "Content Security Policy" in one]
        assert len(refused) >= 5
        assert tab.dialogs() == []
        assert said_to(server) == []


def said_to(server: socket.socket) -> list[bytes]:
    """What comes in. Chromium connects ahead for a frame that it then refuses to load."""
    said: list[bytes] = []
    server.settimeout(0.3)
    with contextlib.suppress(TimeoutError):
        while True:
            connection, _ = server.accept()
            with connection, contextlib.suppress(TimeoutError):
                connection.settimeout(0.3)
                said.append(connection.recv(1024))
    return [one for one in said if one]


def test_hostile_names_are_text(show: Open) -> None:
    tab = show("hostile")
    tags = "[...new Set([...document.querySelectorAll('*')].map(one => one.localName))].sort()"

    for view in VIEWS:
        choose(tab, view)
        open_all(tab)
        assert tab.evaluate("document.querySelectorAll('script, img, iframe, svg').length") == 2
        assert not set(tab.evaluate(tags)) & {"img", "iframe", "svg", "object", "embed"}
    choose(tab, "pods")
    shown = "\n".join(texts(tab, ".card h3"))

    assert (tab.dialogs(), tab.complaints()) == ([], [])
    for name in HOSTILE[:6]:
        assert name in shown
    assert "\\u202eevil\\u2066\\u200b\\u2028\\x00\\x1b[2J" in shown
    links = tab.evaluate("[...document.querySelectorAll('[href], [src]')].map(one => one.href)")
    assert {one.partition("#")[2] for one in links} == {"picture", "findings"}


def test_a_hostile_name_takes_no_more_than_its_place(show: Open) -> None:
    tab = show("hostile", width=1280)

    for view in VIEWS:
        choose(tab, view)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 1280


def test_300_pods_load_and_search_within_the_bounds(
    show: Open, pages: Callable[[str], Path]
) -> None:
    assert pages("busy").stat().st_size < SIZE_BYTES
    tab = show("busy")
    tab.settle()

    loaded_ms = tab.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    elements = tab.evaluate("document.querySelectorAll('*').length")
    answered_ms = tab.evaluate(
        "(() => { const query = document.getElementById('query'); const began = performance.now();"
        "query.value = 'checkout-177'; query.dispatchEvent(new Event('input'));"
        "document.body.offsetHeight; return performance.now() - began; })()"
    )

    assert loaded_ms < LOAD_MS, f"{loaded_ms} ms"
    assert answered_ms < ANSWER_MS, f"{answered_ms} ms"
    assert elements < ELEMENTS
    assert texts(tab, ".card h3") == ["shop/checkout-177"]
    assert text(tab, "#count") == f"1 of {PODS} pods"


def test_scrolling_brings_every_pod(show: Open) -> None:
    tab = show("busy")

    for _ in range(PODS):
        shown = tab.evaluate("document.querySelectorAll('.card').length")
        if shown == PODS:
            break
        tab.evaluate("document.querySelector('.cards > .more').scrollIntoView()")
        tab.settle()

    assert shown == PODS
    assert len(set(texts(tab, ".card h3"))) == PODS


def test_on_paper_every_pod_is_there(show: Open) -> None:
    tab = show("busy")

    tab.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert tab.evaluate("document.querySelectorAll('.card').length") == PODS


def test_a_search_by_a_number_finds_and_marks_it(show: Open) -> None:
    tab = show("odd")

    tab.press("/")
    tab.type("net:[4026532257]")
    tab.settle()

    assert texts(tab, ".card h3") == ["default/web"]
    marked = "[...document.querySelectorAll('.strip .found')].map(one => one.cellIndex)"
    assert tab.evaluate(marked) == [1, 1, 1]


def test_what_is_shown_can_be_narrowed(show: Open) -> None:
    tab = show("odd")

    for value, found in (("host", 2), ("bad", 1), ("ended", 1), ("all", 6)):
        tab.evaluate(
            f"document.getElementById('only').value = '{value}';"
            "document.getElementById('only').dispatchEvent(new Event('change'))"
        )
        assert len(texts(tab, ".card")) == found


def test_all_of_it_works_by_the_keyboard(show: Open) -> None:
    tab = show("odd")

    tab.press("Tab")
    assert focused(tab) == "Skip to the picture"
    tab.press("Enter")
    assert focused(tab) == "picture"
    tab.press("Tab")
    tab.press("ArrowRight")  # radio buttons: from `by pod` to `net`
    assert tab.evaluate("document.activeElement.value") == "0"
    assert text(tab, ".box h3") == "net:[4026531840]"
    tab.press("/")
    assert focused(tab) == "query"
    tab.type("nobody/here")  # a slash within a word is a letter
    assert text(tab, "#count") == "0 of 6 pods"
    tab.press("Escape")
    assert text(tab, "#count") == "6 pods"


def test_what_is_folded_up_unfolds_by_the_keyboard(show: Open) -> None:
    tab = show("odd")

    tab.evaluate("document.querySelector('summary').focus()")
    tab.press("Enter")
    tab.settle()
    assert tab.evaluate("document.activeElement.parentElement.open")
    assert texts(tab, ".why dt")[:2] == ["net", "ipc"]
    tab.press("Space")
    assert not tab.evaluate("document.activeElement.parentElement.open")


def test_who_has_the_focus_can_be_seen(show: Open) -> None:
    tab = show("odd")
    ring = "getComputedStyle(document.activeElement.closest('.view') || document.activeElement)"

    seen: list[str] = []
    for _ in range(12):
        tab.press("Tab")
        seen.append(focused(tab))
        assert tab.evaluate(f"{ring}.outlineStyle") != "none", seen[-1]

    assert len(set(seen)) > 6  # it moves on, and is not caught


@pytest.mark.parametrize("dark", [False, True])
def test_every_text_can_be_read_in_light_and_in_dark(show: Open, *, dark: bool) -> None:
    tab = show("odd", dark=dark)

    for view in ("pods", "0", "5"):
        choose(tab, view)
        open_all(tab)
        assert tab.evaluate(CONTRASTS) == []


def test_it_is_dark_where_the_screen_is_and_the_button_turns_that_round(show: Open) -> None:
    def ground(tab: Tab) -> int:
        color = "getComputedStyle(document.body).backgroundColor"
        return int(str(tab.evaluate(color)).removeprefix("rgb(").split(",")[0])

    light, dark = show("odd"), show("odd", dark=True)

    assert ground(light) > 200
    assert ground(dark) < 100
    assert dark.evaluate("document.getElementById('theme').ariaPressed") == "true"
    dark.evaluate("document.getElementById('theme').focus()")
    dark.press("Space")
    assert ground(dark) == ground(light)
    assert dark.evaluate("document.getElementById('theme').ariaPressed") == "false"


def test_who_cannot_see_it_is_told_the_same(show: Open) -> None:
    tab = show("odd")

    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]

    roles = {node["role"]["value"] for node in nodes if not node["ignored"]}
    assert {"main", "banner", "search", "contentinfo", "table", "status"} <= roles
    nameless = [
        node["role"]["value"]
        for node in nodes
        if not node["ignored"]
        and node["role"]["value"] in NAMED
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    said = [node["name"]["value"] for node in nodes if node.get("role", {}).get("value") == "cell"]
    assert "\u2260 layers disagree host" in [" ".join(one.split()) for one in said]


@pytest.mark.parametrize("width", [340, 700, 1100, 1900])
def test_a_window_of_any_width_needs_no_scrolling_sideways(show: Open, width: int) -> None:
    tab = show("odd", width=width)

    for view in ("pods", "0"):
        choose(tab, view)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_times_are_in_utc_or_in_the_readers_zone(show: Open) -> None:
    tab = show("odd")
    tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Kolkata")

    assert "2026-11-24 00:04:57 UTC" in text(tab, "#facts")
    tab.evaluate(
        "document.getElementById('zone').value = 'local';"
        "document.getElementById('zone').dispatchEvent(new Event('change'))"
    )

    assert "2026-11-24 05:34:57 Asia/" in text(tab, "#facts")


def test_the_timeline_has_a_lane_for_each_pod_and_shows_when_nobody_watched(show: Open) -> None:
    tab = show("odd")

    lanes = texts(tab, "#lanes li .lane-name")
    widths = "[...document.querySelectorAll('.hole')].map(one => one.offsetWidth > 3)"

    assert lanes[0] == "default/odd"
    assert "default/job-29184" in lanes
    assert tab.evaluate(widths) == [True, True]
    choose(tab, "0")
    assert "net:[4026532257]" in texts(tab, "#lanes li .lane-name")


def test_the_svg_is_a_picture_and_nothing_else(browser: Chromium, tmp_path: Path) -> None:
    path = tmp_path / "hostile.svg"
    path.write_text(svg.draw(picture_of(hostile_node())), encoding="utf-8")

    tab = browser.open(path)

    assert (tab.complaints(), tab.dialogs(), tab.requests()) == ([], [], [path.as_uri()])
    assert tab.evaluate("document.documentElement.getBoundingClientRect().width") > 700
    tab.close()
