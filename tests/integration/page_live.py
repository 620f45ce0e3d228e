"""How long a reading takes from its topic to the chart of the operator's page.

``python -m tests.integration.page_live`` runs a gateway on the embedded broker, or on the Kafka in TETOUAN_TEST_KAFKA,
with a history of five weeks; a browser has its page open. Each reading is sent with its forecast, and the next one once
it is drawn. ``--folder`` takes a picture and the figures; ``--readings 4320`` is a month of ten minutes, after which
the page must not hold more memory.
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

    from playwright.sync_api import Browser, CDPSession, Page

__all__ = ["Drawn", "watch"]

NOTE_DRAWN = """() => {
  const chart = document.getElementById("chart");
  window.drawnMs = {};
  const note = () => { window.drawnMs[chart.dataset.origin] ??= performance.timeOrigin + performance.now(); };
  new MutationObserver(note).observe(chart, { attributes: true, attributeFilter: ["data-origin"] });
}"""


@dataclass(frozen=True)
class Drawn:
    """Milliseconds from a topic to the chart, what the page holds, and what share of a core it takes."""

    latencies_ms: list[float]
    begun_heap_mb: float
    ended_heap_mb: float
    busy_share: float


def watch(browser: Browser, broker: Broker, folder: Path, readings: int, picture: Path) -> Drawn:
    """Send readings with their forecasts one by one, each once the one before is drawn; take a picture at the end."""
    situation = SITUATIONS["normal"]
    database = Database(url_of(load(GatewaySettings, state_dir=folder)))
    database.migrate()
    situation.fill(database)
    database.close()
    latencies_ms = []
    with service("gateway", broker, folder, free_port(), TETOUAN_STATE_DIR=str(folder)) as gateway:
        width, height = SIZES["desk"]
        page = browser.new_page(viewport={"width": width, "height": height})
        drawn(page, f"{gateway.address}/?lang=en")
        page.evaluate(NOTE_DRAWN)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        begun, begun_s = _measures(session), monotonic_s()
        for n in range(1, readings + 1):
            step = situation.grid.step_of(situation.end) + n
            time = situation.grid.time_of(step)
            reading = situation.reading(situation.days * situation.grid.day + n % situation.grid.day, time)
            sent_ms = 1000 * now().timestamp()
            broker.send(topics.CLEAN, [reading.to_bytes()], key=b"tetouan")
            broker.send(topics.FORECASTS, [situation.forecast(step).to_bytes()], key=b"tetouan")
            latencies_ms.append(_drawn_ms(page, f"{time:%Y-%m-%dT%H:%M:%SZ}") - sent_ms)
        ended, duration_s = _measures(session), monotonic_s() - begun_s
        page.screenshot(path=picture, full_page=True)
    busy_s = ended["TaskDuration"] - begun["TaskDuration"]
    begun_mb, ended_mb = (1e-6 * measures["JSHeapUsedSize"] for measures in (begun, ended))
    return Drawn(latencies_ms, begun_mb, ended_mb, busy_s / duration_s)


def _drawn_ms(page: Page, origin: str) -> float:
    """Return when the forecast of an origin was drawn, once it is."""
    page.wait_for_selector(f'#chart[data-origin="{origin}"]', timeout=PATIENCE_MS)
    found: float = page.evaluate("origin => window.drawnMs[origin]", origin)
    return found


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
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        broker, browser = stack.enter_context(_broker()), stack.enter_context(browsing())
        found = watch(browser, broker, folder, arguments.readings, arguments.folder / "page.png")
    p50_ms, p95_ms = np.quantile(found.latencies_ms, (0.5, 0.95))
    figures = {
        "broker": broker.kind,
        "readings": arguments.readings,
        "p50_latency_ms": float(p50_ms),
        "p95_latency_ms": float(p95_ms),
        "begun_heap_mb": found.begun_heap_mb,
        "ended_heap_mb": found.ended_heap_mb,
        "busy_share": found.busy_share,
        "load_average": os.getloadavg()[0],
    }
    Console().print_json(data=figures)
    (arguments.folder / "page.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
