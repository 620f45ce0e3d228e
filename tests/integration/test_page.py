"""The operator's page in a browser: at each size, light and dark, in both languages, and when the gateway goes away."""

from __future__ import annotations

import re
import socket
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from harness.brokers import until
from replay.control import serve_control
from replay.pacing import Tempo
from services.gateway.http.keys import new_key
from tests.integration.page_live import watch
from tests.integration.pages import PATIENCE_MS, SIZES, browsing, drawn, executable, served
from tests.unit.gateway.page.situations import SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Request, Route

    from harness.brokers import Broker

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        executable() is None, reason="no browser is on the PATH: install Chromium (apt install chromium)"
    ),
]
GRAVE = ("serious", "critical")
CUT = """[...document.querySelectorAll(".wide")]
  .filter((each) => each.scrollWidth > each.clientWidth + 1)
  .map((each) => each.innerHTML)"""
CROSSING = """() => {
  const labels = [...document.querySelectorAll("#chart .annotation-text")];
  const boxes = labels.map((each) => each.getBoundingClientRect());
  const crosses = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const pairs = labels.flatMap((_, n) => labels.map((_, m) => [n, m]).filter(([, m]) => m > n));
  return pairs.filter(([n, m]) => crosses(boxes[n], boxes[m])).map((pair) => pair.map((n) => labels[n].textContent));
}"""
COUNT_DRAWN = """() => {
  const { react } = Plotly;
  window.drawn = 0;
  Plotly.react = (...given) => { window.drawn += 1; return react(...given); };
}"""
NORMAL, MADRID = SITUATIONS["normal"], SITUATIONS["quarter-hours"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser."""
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A gateway of two sites, of which nothing but one replay's readings has arrived."""
    with served(NORMAL, MADRID) as found:
        yield found


class Watched:
    """A page, what it has complained of, and whom it has asked."""

    def __init__(self, browser: Browser, size: str = "desk", **options: Any) -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, **options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        if not request.url.startswith(("data:", "blob:")):
            self.hosts.add(re.sub(r"(https?://[^/]+).*", r"\1", request.url))

    def close(self) -> None:
        """Close it."""
        self.context.close()


@pytest.fixture
def watched(browser: Browser) -> Iterator[Watched]:
    """A page at a desk."""
    found = Watched(browser)
    yield found
    found.close()


def overflow_px(page: Page) -> int:
    """Return by how much the page is wider than the screen."""
    found: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return found


def grave_of(page: Page) -> list[str]:
    """Return what hinders people, by axe."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


@pytest.mark.parametrize("path", ["/?site=tetouan&zone=2", "/fleet?"])
@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_can_be_read(browser: Browser, address: str, size: str, theme: Any, language: str, path: str) -> None:
    """It fits the screen, complains of nothing, asks no other host, and hinders nobody."""
    watched = Watched(browser, size, color_scheme=theme)
    try:
        if path.startswith("/fleet"):
            watched.page.goto(f"{address}{path}&lang={language}")
        else:
            drawn(watched.page, f"{address}{path}&lang={language}")
        assert watched.page.locator("html").get_attribute("lang") == language
        assert overflow_px(watched.page) == 0
        assert watched.page.evaluate(CUT) == []
        assert grave_of(watched.page) == []
        assert watched.complaints == []
        assert watched.hosts == {address}
    finally:
        watched.close()


def test_the_chart_is_read_by_keyboard(watched: Watched, address: str) -> None:
    """The arrows tell a time with its loads and units, and Enter shows how its forecast changed."""
    drawn(watched.page, f"{address}/?site=tetouan")
    watched.page.focus("#chart")
    watched.page.keyboard.press("PageDown")
    readout = watched.page.locator("#readout")
    readout.filter(has_text="Thu 19 Oct 18:20").wait_for()
    assert re.search(r"UTC\+00:00 · forecast [\d,]+\skW · band 50 % [\d,]+\skW", readout.inner_text())
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_selector("#hour-chart .main-svg")
    assert "18:20" in watched.page.inner_text("#hour-said")
    assert watched.complaints == []


def test_similar_days_are_drawn_with_their_dates(watched: Watched, address: str) -> None:
    """Three faint lines, and what their dates are."""
    drawn(watched.page, f"{address}/?site=tetouan")
    watched.page.check("#similar")
    watched.page.locator("#similar-said", has_text=re.compile(r"(\w{3} \d+ \w{3}(, |: )){3}past days")).wait_for()
    watched.page.locator("#chart .legendtext").nth(7).wait_for()
    drawn_days = watched.page.evaluate(
        "document.getElementById('chart').data.filter((each) => /similar/.test(each.name))"
    )
    assert len({each["line"]["dash"] for each in drawn_days}) == 3
    low, high = watched.page.evaluate("document.getElementById('chart').layout.yaxis.range")
    begin, end = watched.page.evaluate("document.getElementById('chart').layout.xaxis.range")
    shown = [kw for each in drawn_days for x, kw in zip(each["x"], each["y"], strict=True) if kw and begin <= x <= end]
    assert low < min(shown)
    assert max(shown) < high
    assert watched.complaints == []


def test_what_if_is_answered(watched: Watched, address: str) -> None:
    """A load with its unit for some weather, and the day at five degrees more."""
    drawn(watched.page, f"{address}/?site=tetouan")
    watched.page.click("#if-form button:not([type])")
    watched.page.locator("#if-said", has_text="kW").wait_for()
    watched.page.click("#warmer")
    watched.page.locator("#if-said", has_text="in the mean").wait_for()
    sentence = watched.page.inner_text("#if-said")
    warned = watched.page.locator("#if-warned").bounding_box()
    assert warned is not None
    assert warned["height"] < 200  # a note, not one for each of the times
    kw = r"[\d,.]+\skW"
    assert re.search(
        rf"to \w+ .*: in the mean [+-]?{kw} \([+-]?[\d.]+\s%\), from {kw}\. At the peak, \w+ .*: [+-]?{kw}", sentence
    )
    watched.page.wait_for_selector("#if-chart .main-svg")
    assert watched.complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_no_label_of_the_chart_crosses_another(browser: Browser, address: str, size: str) -> None:
    """The highest, the lowest and the present."""
    watched = Watched(browser, size)
    try:
        drawn(watched.page, f"{address}/?site=tetouan")
        assert watched.page.locator("#chart .annotation-text", has_text=re.compile(r"kW \d\d:\d\d")).count() == 2
        assert watched.page.evaluate(CROSSING) == []
    finally:
        watched.close()


def test_fields_that_nobody_has_changed_follow_the_newest_reading(watched: Watched, address: str) -> None:
    """Those that somebody has changed stay as they are."""
    drawn(watched.page, f"{address}/?site=tetouan")
    watched.page.fill("#if-form [name=Temperature]", "33")
    times = ["#if-form [name=Timestamp]", "#past-form [name=at]"]
    before = {watched.page.input_value(each) for each in times}
    assert len(before) == 1
    answering(watched.page, lambda said: said.replace(before.copy().pop(), "2017-10-19 23:50"))
    look(watched.page)
    for each in times:
        expect(watched.page.locator(each)).to_have_value("2017-10-19 23:50", timeout=PATIENCE_MS)
    assert watched.page.input_value("#if-form [name=Temperature]") == "33"


def test_the_cards_with_charts_stand_side_by_side(watched: Watched, address: str) -> None:
    """At a desk: no half of the page is empty beside them."""
    drawn(watched.page, f"{address}/?site=tetouan")
    hour, what_if = (
        watched.page.locator(f"section:has(> #{name})").bounding_box() for name in ("hour-form", "if-form")
    )
    assert hour is not None
    assert what_if is not None
    assert hour["y"] == what_if["y"]
    assert hour["width"] + what_if["width"] > 0.9 * SIZES["desk"][0]


def test_a_phone_gets_hours_a_short_legend_and_no_advice_for_keys(browser: Browser, address: str) -> None:
    """The plot is taller than its legend, and some labels of its axis are hours."""
    watched = Watched(browser, "phone", has_touch=True, is_mobile=True)
    try:
        drawn(watched.page, f"{address}/?site=tetouan")
        assert not watched.page.is_visible("#readout .keys")
        ticks = watched.page.locator("#chart .xtick text").all_text_contents()
        assert "12:00" in ticks
        edges = watched.page.eval_on_selector_all(
            "#chart .xtick text",
            "each => each.map((one) => one.getBoundingClientRect()).map((box) => [box.left, box.right])",
        )
        assert all(right < left for (_, right), (left, _) in pairwise(edges))
        legend = watched.page.locator("#chart .legend .bg").bounding_box()
        plot = watched.page.locator("#chart .nsewdrag").bounding_box()
        assert legend is not None
        assert plot is not None
        assert legend["height"] < plot["height"] / 2
    finally:
        watched.close()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_the_days_that_are_scored_are_chosen(browser: Browser, address: str, *, has_scripts: bool) -> None:
    """One window is shown at a time, the last seven days first; it needs no script."""
    watched = Watched(browser, java_script_enabled=has_scripts)
    try:
        watched.page.goto(f"{address}/?site=tetouan")
        groups = watched.page.locator("#good tbody:visible th[scope=rowgroup]")
        assert groups.all_inner_texts() == ["Last 7 days"]
        watched.page.click("label:has-text('Last day')")
        assert groups.all_inner_texts() == ["Last day"]
        if has_scripts:
            look(watched.page)
            assert groups.all_inner_texts() == ["Last day"]
    finally:
        watched.close()


def test_a_time_that_is_none_is_said(watched: Watched, address: str) -> None:
    """Where the chart of an hour is asked for, and what the load would be."""
    page = watched.page
    drawn(page, f"{address}/?site=tetouan")
    for name, form, said in (("target", "hour-form", "hour-said"), ("Timestamp", "if-form", "if-said")):
        page.fill(f"#{form} [name={name}]", "2017-13-45 10:00")
        page.click(f"#{form} button:not([type])")
        page.locator(f"#{said}", has_text="This is no time").wait_for()
    page.fill("#hour-form [name=target]", "2017-10-19 17:00")
    page.click("#hour-form button")
    page.locator("#hour-said", has_text="Thu 19 Oct 17:00").wait_for()
    assert watched.complaints == []


def test_nothing_is_drawn_again_that_has_not_changed(watched: Watched, address: str) -> None:
    """The page asks, and draws once something else is answered."""
    page = watched.page
    drawn(page, f"{address}/?site=tetouan")
    look(page)
    page.locator("#chart[data-origin]").wait_for()
    page.evaluate(COUNT_DRAWN)
    look(page)
    look(page)
    assert page.evaluate("window.drawn") == 0
    answering(page, lambda text: text.replace("Newest load reading", "Newer load reading"))
    look(page)
    until(lambda: page.evaluate("window.drawn === 1"), "one more drawing")


def test_a_link_shows_the_past(watched: Watched, address: str) -> None:
    """An hour earlier: the page says so, and the link of the address bar shows a colleague the same."""
    drawn(watched.page, f"{address}/?site=tetouan")
    watched.page.click("text=1 h earlier")
    drawn(watched.page, watched.page.url)
    assert "as it stood at Thu 19 Oct 2017 16:20" in watched.page.inner_text("h1")
    watched.page.click("text=Back to now >> nth=0")
    watched.page.locator("#fresh", has_text="Newest load reading").wait_for()


def test_a_clock_that_was_set_back_is_drawn_right(browser: Browser) -> None:
    """The axis says both offsets, and the readout that of its time."""
    situation = SITUATIONS["summer-time"]
    watched = Watched(browser)
    try:
        with served(situation) as address:
            drawn(watched.page, address)
            assert "UTC+02:00 → UTC+01:00" in (watched.page.text_content("#chart .xtitle") or "")
            assert "clock change" in watched.page.locator("#chart .annotation-text").all_text_contents()
            assert "goes from UTC+02:00 to UTC+01:00" in watched.page.inner_text("#marks")
            watched.page.focus("#chart")
            for _ in range(7):
                watched.page.keyboard.press("PageUp")
            watched.page.locator("#readout", has_text="Sun 29 Oct 02:15 UTC+01:00").wait_for()
            for _ in range(4):
                watched.page.keyboard.press("ArrowLeft")
            watched.page.locator("#readout", has_text="Sun 29 Oct 02:15 UTC+02:00").wait_for()
    finally:
        watched.close()


def test_a_reading_is_drawn_as_it_comes(browser: Browser, embedded_broker: Broker, tmp_path: Path) -> None:
    """Without a reload; what the page is replayed is not late though it is of years ago."""
    found = watch(browser, embedded_broker, tmp_path, 3, tmp_path / "page.png")
    assert len(found.latencies_ms) == 3
    assert (tmp_path / "page.png").stat().st_size > 10_000


def test_the_page_says_that_it_has_lost_the_gateway(watched: Watched) -> None:
    """And since when, at once; the figures stay."""
    with served(NORMAL) as address:
        drawn(watched.page, address)
        watched.page.locator("#link").wait_for(state="hidden")
    watched.page.locator("#link", has_text="Connection to the gateway lost since").wait_for()
    assert "kW" in watched.page.inner_text("#tiles")


def test_the_page_outlives_a_restart_of_the_gateway(watched: Watched) -> None:
    """It says that it was lost, goes on by itself at the same address, and says that the gateway was started anew."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    with served(NORMAL, port=port) as address:
        drawn(watched.page, address)
        watched.page.locator("#link").wait_for(state="hidden")
    watched.page.locator("#link", has_text="lost since").wait_for()
    with served(NORMAL, port=port):
        watched.page.locator("#link", has_text="The gateway was started anew").wait_for()


def look(page: Page) -> None:
    """Have a page ask at once for what has changed, and wait until it is answered."""
    with page.expect_response(lambda answer: answer.request.resource_type == "fetch"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def answering(page: Page, change: Callable[[str], str], **headers: str) -> None:
    """Have what a page is answered when it asks for itself again changed on its way."""

    def changed(route: Route) -> None:
        if route.request.resource_type != "fetch":
            route.continue_()
            return
        answer = route.fetch()
        route.fulfill(status=answer.status, headers={**answer.headers, **headers}, body=change(answer.text()))

    page.route(re.compile(r"/(fleet)?(\?.*)?$"), changed)


def test_a_question_that_fails_stops_nothing(watched: Watched, address: str) -> None:
    """Similar days that do not come are said, the page goes on, and asks for them again."""
    page = watched.page
    drawn(page, f"{address}/?site=tetouan")
    page.route("**/similar*", lambda route: route.abort())
    page.check("#similar")
    page.locator("#similar-said", has_text="do not come").wait_for()
    answering(page, lambda text: text.replace("Newest load reading", "Newer load reading"))
    look(page)
    page.locator("#fresh", has_text="Newer load reading").wait_for()
    page.unroute("**/similar*")
    look(page)
    page.locator("#similar-said", has_text="past days").wait_for()
    assert page.locator("#link").is_hidden()


def test_a_chart_that_cannot_be_drawn_is_said(watched: Watched, address: str) -> None:
    """Without the script that draws, the live stream is followed, and the figures are renewed."""
    page = watched.page
    page.route("**/plotly.min.js", lambda route: route.abort())
    with page.expect_request("**/api/v1/stream*"):
        page.goto(f"{address}/?site=tetouan")
    page.locator("#link", has_text="The chart cannot be drawn").wait_for()
    answering(page, lambda text: text.replace("Newest load reading", "Newer load reading"))
    look(page)
    page.locator("#fresh", has_text="Newer load reading").wait_for()
    assert page.locator("#link").is_visible()


def test_what_has_the_focus_is_renewed_and_keeps_it(watched: Watched, address: str) -> None:
    """Also a link whose row has moved."""
    page = watched.page
    page.goto(f"{address}/fleet")
    page.focus("#fleet .wide")
    answering(page, lambda text: text.replace("tetouan, Zone", "Tetuán, Zone"))
    look(page)
    page.locator("#fleet tbody", has_text="Tetuán").wait_for()
    assert page.evaluate("document.activeElement.className") == "wide"

    page.focus("#fleet tbody tr:nth-child(1) a")
    href = page.evaluate("document.activeElement.getAttribute('href')")
    answering(page, lambda text: re.sub(r"(<tr class=.*?</tr>)\s*(<tr class=.*?</tr>)", r"\2\1", text, flags=re.DOTALL))
    look(page)
    page.locator(f'#fleet tbody tr:nth-child(2) a[href="{href}"]').wait_for()
    assert page.evaluate("document.activeElement.getAttribute('href')") == href


def test_a_key_that_was_revoked_is_no_lost_gateway(watched: Watched, address: str) -> None:
    """The page says that it needs another one, keeps its figures, and goes on once it is let in again."""
    page = watched.page
    drawn(page, f"{address}/?site=tetouan")
    look(page)
    page.route(re.compile(r"/\?site"), lambda route: route.fulfill(status=401))
    look(page)
    page.locator("#link", has_text="This key is no longer valid").wait_for()
    assert "lost" not in page.inner_text("#link")
    assert "kW" in page.inner_text("#tiles")
    page.unroute_all()
    look(page)
    page.locator("#link").wait_for(state="hidden")


def test_a_page_gets_its_parts_from_a_replica_of_another_version(watched: Watched, address: str) -> None:
    """What fits is used; where scripts of two versions do not start, the page is loaded again."""
    page = watched.page
    other = re.compile(r"/page/[0-9a-f]+/")
    page.route(other, lambda route: route.continue_(url=other.sub("/page/0123/", route.request.url)))
    drawn(page, f"{address}/?site=tetouan")
    assert watched.complaints == []

    loads: list[str] = []
    page.on("load", lambda _: loads.append(page.url))
    page.route(
        "**/chart.js", lambda route: route.fulfill(body="export const another = 1;", content_type="text/javascript")
    )
    page.reload()
    page.unroute("**/chart.js")
    page.wait_for_selector("#chart[data-origin]")
    assert len(loads) == 2


def test_a_refused_stream_is_no_lost_gateway(watched: Watched, address: str) -> None:
    """The page says that it asks on its own."""
    page = watched.page
    page.route("**/api/v1/stream*", lambda route: route.fulfill(status=429))
    drawn(page, f"{address}/?site=tetouan")
    page.locator("#link", has_text="There is no live stream").wait_for()
    look(page)
    assert "lost" not in page.inner_text("#link")


def test_another_replica_is_no_restart(watched: Watched, address: str) -> None:
    """Replicas that answer in turn are not told of, and one of another version makes the page load again but once."""
    page = watched.page
    drawn(page, f"{address}/?site=tetouan")
    look(page)
    answering(
        page, lambda text: text.replace("Newest load reading", "Newer load reading"), **{"x-tetouan-begun": "another"}
    )
    look(page)
    page.locator("#fresh", has_text="Newer load reading").wait_for()
    assert page.locator("#link").is_hidden()

    answering(page, lambda text: text.replace("data-version=", 'data-version="another" data-own='))
    with page.expect_navigation():
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    drawn_again = page.locator("#chart[data-origin]")
    drawn_again.wait_for()
    page.evaluate("window.isKept = true")
    look(page)
    look(page)
    assert page.evaluate("window.isKept")
    assert page.locator("#link").is_hidden()


def test_now_is_where_the_clock_is(watched: Watched) -> None:
    """A meter that has been silent for 52 minutes leaves them empty before it; the past has a last reading instead."""
    upright = (
        "(({ shapes, annotations }) => [shapes[0].x0, annotations[0].text])(document.getElementById('chart').layout)"
    )
    silent = SITUATIONS["stale-meter"]
    with served(silent) as address:
        drawn(watched.page, address)
        assert watched.page.evaluate(upright) == [1000 * silent.now.timestamp(), "now"]
        drawn(watched.page, f"{address}/?at=2017-10-19T12:00:00Z")
        assert watched.page.evaluate(upright) == [1000 * (silent.end.timestamp() - 5 * 3600 - 1200), "newest record"]


def test_a_key_opens_the_page_as_a_password(browser: Browser) -> None:
    """The browser asks for it, all parts of the page come with it, and it stands in no page and no address."""
    key = new_key()
    watched = Watched(browser, http_credentials={"username": "anyone", "password": key})
    urls: list[str] = []
    watched.page.on("request", lambda request: urls.append(request.url))
    try:
        with served(NORMAL, key=key) as address:
            drawn(watched.page, address)
            look(watched.page)
            watched.page.check("#similar")
            watched.page.locator("#similar-said", has_text="past days").wait_for()
            assert any("/api/v1/stream" in url for url in urls)
            assert [url for url in urls if key in url] == []
            assert key not in watched.page.content()
            assert watched.complaints == []
    finally:
        watched.close()


SEND = """([url, mode, type]) => fetch(url, { method: "POST", mode, body: new Blob(['{"paused": true}'], { type }) })
  .then(() => "answered", () => "refused")"""


def test_a_page_of_another_site_changes_no_replay(watched: Watched) -> None:
    """What needs no leave arrives and is refused; JSON needs leave, and gets none."""
    tempo = Tempo(10)
    control = serve_control(socket.create_server(("127.0.0.1", 0)).detach(), tempo)
    statuses: list[int] = []
    failures: list[str | None] = []
    watched.page.on("response", lambda answer: statuses.append(answer.status))
    watched.page.on("requestfailed", lambda request: failures.append(request.failure))
    with served(NORMAL, control=control) as address:
        watched.page.goto(control.replace("127.0.0.1", "localhost"))  # to the browser another site
        for url in (f"{address}/control", control):
            for kind in ("text/plain", ""):
                watched.page.evaluate(SEND, [url, "no-cors", kind])
            assert watched.page.evaluate(SEND, [url, "cors", "application/json"]) == "refused"
        assert statuses.count(415) == 2  # of the replay
        assert failures.count("net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin") == 2  # the gateway answers its own pages
        assert not tempo.paused


def test_the_speed_in_force_is_shown(watched: Watched) -> None:
    """In its field; a pause says what still arrives."""
    control = serve_control(socket.create_server(("127.0.0.1", 0)).detach(), Tempo(12))
    with served(NORMAL, control=control) as address:
        drawn(watched.page, f"{address}/?site=tetouan")
        expect(watched.page.locator("#control-form [name=rate]")).to_have_value("12", timeout=PATIENCE_MS)
        watched.page.click("#control-pause")
        watched.page.locator("#control-said", has_text="on their way still arrive").wait_for()


def test_a_tab_that_nobody_sees_takes_no_connection(watched: Watched, address: str) -> None:
    """It leaves the live stream, and follows it again once it is seen."""
    page = watched.page
    with page.expect_request("**/api/v1/stream*"):
        drawn(page, f"{address}/?site=tetouan")
    hide = """hidden => {
      Object.defineProperty(document, "hidden", { configurable: true, value: hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with page.expect_event("requestfailed", lambda request: "/api/v1/stream" in request.url):
        page.evaluate(hide, arg=True)
    with page.expect_request("**/api/v1/stream*"):
        page.evaluate(hide, arg=False)
    assert page.locator("#link").is_hidden()
