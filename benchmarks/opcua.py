"""What the OPC UA server takes of memory and processor, by the number of zones.

``python -m benchmarks.opcua [--zones 1000] [--json FILE]`` makes the nodes of so many zones, one a site, and tells each
of a reading and a forecast, ten times. Times are of the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from services.gateway.opcua.board import Board
from services.gateway.opcua.server import AddressSpace
from services.gateway.opcua.told import told_by
from shared.contracts.messages import CleanReading, Forecast, Interval, LevelSpan, ModelNames
from shared.runtime.clock import process_cpu_s

START = datetime(2018, 3, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)
LEADS_MINUTES = (10, 60, 1440)
ROUNDS = 10


def main() -> None:
    """Print a table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--zones", type=int, default=1000, help="how many, each of a site of its own")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments.zones))
    table = Table("figure", "", title="OPC UA server")
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,.1f}")
    Console().print(table)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


async def measure(zones: int) -> dict[str, float]:
    """Return the figures of so many zones."""
    process = psutil.Process()
    board = Board(LEADS_MINUTES, zones)
    space = AddressSpace("127.0.0.1", 0, board.tags)
    first = messages(zones, 0)
    begun_bytes, begun_s = process.memory_info().rss, process_cpu_s()
    await space.prepare()
    own_bytes, prepared_s = process.memory_info().rss, process_cpu_s()
    before_s = process_cpu_s()
    await take(board, space, first)
    filled_s, zones_bytes = process_cpu_s() - before_s, process.memory_info().rss - own_bytes
    later = [messages(zones, step) for step in range(1, ROUNDS + 1)]
    before_s = process_cpu_s()
    for each in later:
        await take(board, space, each)
    round_s = (process_cpu_s() - before_s) / ROUNDS
    return {
        "zones": zones,
        "start_cpu_s": prepared_s - begun_s,
        "start_mb": (own_bytes - begun_bytes) / 1e6,
        "nodes_of_all_zones_cpu_s": filled_s,
        "memory_kb_a_zone": zones_bytes / zones / 1e3,
        "reading_and_forecast_us_a_zone": round_s / zones * 1e6,
        "load_average": os.getloadavg()[0],
    }


def messages(zones: int, step: int) -> list[tuple[str, bytes]]:
    """Return a reading and a forecast of each zone, as they are on their topics."""
    time = START + step * STEP
    median_kw = tuple(20_000.0 + step + lead for lead in range(144))
    found = []
    for number in range(zones):
        site = f"site-{number}"
        reading = CleanReading(site=site, time=time, step_minutes=10, values={"zone_1_kw": 20_000.0 + step})
        forecast = Forecast(
            site=site,
            zone=1,
            origin=time,
            step_minutes=10,
            median_kw=median_kw,
            intervals=(Interval(coverage=0.9, low_kw=median_kw, high_kw=median_kw),),
            levels=(LevelSpan(from_lead=1, to_lead=144, level="adapted"),),
            weather_estimate_kw=None,
            weather_model_kw=None,
            models=ModelNames(demand=None, weather=None),
        )
        found += [("readings", reading.to_bytes()), ("forecasts", forecast.to_bytes())]
    return found


async def take(board: Board, space: AddressSpace, told: list[tuple[str, bytes]]) -> None:
    """Let the nodes hold what the messages tell."""
    for kind, raw in told:
        await space.write(board.take(told_by(kind, raw), 0.0))


if __name__ == "__main__":
    main()
