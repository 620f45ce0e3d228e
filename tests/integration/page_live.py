"""How long a reading takes from its topic to the chart of the operator's page, and what the page takes for it.

``python -m tests.integration.page_live`` runs a gateway on the embedded broker, or on the Kafka in TETOUAN_TEST_KAFKA,
with a history of five weeks; a browser has its page open. Each reading is sent with its forecast, and the next one once
it is drawn; with ``--rate`` it is so many a second, of which the page draws what it can. ``--folder`` takes a picture
and the figures. ``--readings 4464 --rate 10`` is a month of ten minutes, over which the page must not hold ever more.
"""

from __future__ import annotations

import argparse
import json
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
from rich.console import Console

from harness.brokers import Broker, free_port, service
from services.gateway.database import Database, url_of
from services.gateway.settings import GatewaySettings
from shared.contracts import topics
from shared.runtime import embedded
from shared.runtime.access import Access
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s, now
from shared.runtime.settings import load
from tests.integration.pages import PATIENCE_MS, SIZES, browsing, drawn
from tests.unit.gateway.page.situations import SITUATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, CDPSession

    from tests.unit.gateway.page.situations import Situation

__all__ = ["Drawn", "watch"]

NOTE_DRAWN = """() => {
  const chart = document.getElementById("chart");
  window.drawnMs = {};
  const note = () => { window.drawnMs[chart.dataset.origin] ??= performance.timeOrigin + performance.now(); };
  new MutationObserver(note).observe(chart, { attributes: true, attributeFilter: ["data-origin"] });
}"""


TAKE_DRAWN = "() => { const found = window.drawnMs; window.drawnMs = {}; return found; }"
QUARTERS = 4
BUSY = {"process_share": "ProcessTime", "thread_share": "ThreadTime", "layout_share": "LayoutDuration"}


@dataclass(frozen=True)
class Drawn:
    """What it took to draw readings.

    Attributes
    ----------
    latencies_ms
        From the topic to the chart, of each reading that was drawn as the newest.
    heap_mb, nodes
        What the page held at the begin and after each quarter, after a garbage collection.
    shares
        Of one core: what the process of the page took, what of that its main thread, and what of that the layout.
    """

    latencies_ms: list[float]
    heap_mb: list[float]
    nodes: list[int]
    shares: dict[str, float]


def watch(
    browser: Browser, broker: Broker, folder: Path, readings: int, picture: Path, rate_per_s: float | None = None
) -> Drawn:
    """Send readings with their forecasts, at a rate or each once the one before is drawn; take a picture at the end."""
    situation = SITUATIONS["normal"]
    database = Database(url_of(load(GatewaySettings, state_dir=folder)))
    database.migrate()
    situation.fill(database)
    database.close()
    sent_ms: dict[str, float] = {}
    drawn_ms: dict[str, float] = {}
    with service("gateway", broker, folder, free_port(), TETOUAN_STATE_DIR=str(folder)) as gateway:
        width, height = SIZES["desk"]
        page = browser.new_page(viewport={"width": width, "height": height})
        drawn(page, f"{gateway.address}/?lang=en")
        page.evaluate(NOTE_DRAWN)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        measures, begun_s = [_measures(session)], monotonic_s()
        for n in range(1, readings + 1):
            origin = _send(broker, situation, n, sent_ms)
            if rate_per_s is not None:
                page.wait_for_timeout(max(0.0, 1000 * (begun_s + n / rate_per_s - monotonic_s())))
            if rate_per_s is None or n == readings:
                page.wait_for_selector(f'#chart[data-origin="{origin}"]', timeout=PATIENCE_MS)
            if QUARTERS * n // readings > QUARTERS * (n - 1) // readings:
                drawn_ms |= page.evaluate(TAKE_DRAWN)
                measures.append(_measures(session))
        duration_s = monotonic_s() - begun_s
        page.screenshot(path=picture, full_page=True)
    return Drawn(
        [ms - sent_ms[origin] for origin, ms in drawn_ms.items() if origin in sent_ms],
        [1e-6 * each["JSHeapUsedSize"] for each in measures],
        [round(each["Nodes"]) for each in measures],
        {share: (measures[-1][name] - measures[0][name]) / duration_s for share, name in BUSY.items()},
    )


def _send(broker: Broker, situation: Situation, n: int, sent_ms: dict[str, float]) -> str:
    """Send the reading so many steps after the end of a situation, and its forecast; return its origin."""
    step = situation.grid.step_of(situation.end) + n
    time = situation.grid.time_of(step)
    origin = f"{time:%Y-%m-%dT%H:%M:%SZ}"
    reading = situation.reading(situation.days * situation.grid.day + n % situation.grid.day, time)
    sent_ms[origin] = 1000 * now().timestamp()
    broker.send(topics.CLEAN, [reading.to_bytes()], key=b"tetouan")
    broker.send(topics.FORECASTS, [situation.forecast(step).to_bytes()], key=b"tetouan")
    return origin


def _measures(session: CDPSession) -> dict[str, float]:
    session.send("HeapProfiler.collectGarbage")
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


@contextmanager
def _broker() -> Iterator[Broker]:
    if bootstrap := os.environ.get("TETOUAN_TEST_KAFKA"):
        prefix = f"page-{uuid4().hex[:8]}."
        ensure_topics(Access(bootstrap), prefix, 1)
        yield Broker("kafka", bootstrap, prefix)
    else:
        with embedded.start() as running:
            ensure_topics(Access(running.bootstrap), "", 1)
            yield Broker("embedded", running.bootstrap, "")


def main() -> None:
    """Print the figures, and keep them beside the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=60)
    parser.add_argument("--rate", type=float, help="readings a second; without it each once the one before is drawn")
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        broker, browser = stack.enter_context(_broker()), stack.enter_context(browsing())
        found = watch(browser, broker, folder, arguments.readings, arguments.folder / "page.png", arguments.rate)
    p50_ms, p95_ms = np.quantile(found.latencies_ms, (0.5, 0.95))
    figures = {
        "broker": broker.kind,
        "readings": arguments.readings,
        "rate_per_s": arguments.rate,
        "drawn": len(found.latencies_ms),
        "p50_latency_ms": float(p50_ms),
        "p95_latency_ms": float(p95_ms),
        "heap_mb": found.heap_mb,
        "nodes": found.nodes,
        **found.shares,
        "load_average": os.getloadavg()[0],
    }
    Console().print_json(data=figures)
    (arguments.folder / "page.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
