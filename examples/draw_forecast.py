# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx>=0.28,<1", "matplotlib>=3.10,<4"]
# ///
"""Draw the newest forecast of a zone, and yesterday's beside the load that came: one picture.

It asks the HTTP interface of the gateway (docs/api.md). Times are in UTC. A gateway that asks for a key is shown the
one in the variable GATEWAY_KEY.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
from matplotlib import rc_context
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ANSWER_S = 10.0  # then nobody is there
DAY = timedelta(days=1)


class RefusedError(Exception):
    """The gateway does not answer what we ask; the message says why."""


def main() -> int:
    """Write the picture; returns the exit code."""
    options = parse_arguments()
    key = {"Authorization": f"Bearer {os.environ['GATEWAY_KEY']}"} if os.environ.get("GATEWAY_KEY") else {}
    site = f"/api/v1/sites/{quote(options.site, safe='')}"
    zone = f"{site}/zones/{options.zone}/forecasts"
    try:
        with httpx.Client(base_url=options.gateway, timeout=ANSWER_S, headers=key) as client:
            newest = asked(client, f"{zone}/latest")
            origin = datetime.fromisoformat(newest["origin"])
            earlier = asked(client, zone, {"from": iso(origin - DAY), "limit": "1"})["items"]
            load = loads(client, site, f"zone_{options.zone}_kw", origin)
    except RefusedError as refusal:
        print(f"{options.gateway}: {refusal}", file=sys.stderr)
        return 2
    except httpx.TransportError as error:
        print(
            f"{options.gateway}: {error}: run `tetouan run gateway` or `docker compose up`, or give --gateway",
            file=sys.stderr,
        )
        return 2
    try:
        draw(options, load, [*earlier[:1], newest])
    except OSError as error:
        print(f"{options.output}: {error.strerror}: give --output a place that can be written", file=sys.stderr)
        return 2
    print(f"{options.output}: {options.site} zone {options.zone}, {len(load)} loads, forecast of {origin:%d %H:%M}Z")
    return 0


def asked(client: httpx.Client, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
    """Return what the gateway answers; raises ``RefusedError`` with its words where it refuses."""
    answer = client.get(path, params=query)
    if answer.status_code != httpx.codes.OK:
        is_problem = "problem+json" in answer.headers.get("content-type", "")
        raise RefusedError(answer.json()["detail"] if is_problem else f"status {answer.status_code} of {path}")
    found: dict[str, Any] = answer.json()
    return found


def loads(client: httpx.Client, site: str, field: str, origin: datetime) -> list[tuple[datetime, float]]:
    """Return the loads of two days in kW by their times, without those that are missing or were refused."""
    query = {"from": iso(origin - 2 * DAY), "limit": "10000"}  # two days in steps of a minute are fewer
    readings = asked(client, f"{site}/readings", query)["items"]
    values = ((datetime.fromisoformat(reading["time"]), reading["values"].get(field)) for reading in readings)
    return [(time, value) for time, value in values if value is not None]


def draw(options: argparse.Namespace, load: list[tuple[datetime, float]], forecasts: list[dict[str, Any]]) -> None:
    """Write the picture; raises ``OSError`` where it cannot be written."""
    with rc_context({"date.converter": "concise"}):
        figure = Figure(figsize=(11, 5), layout="constrained")  # of no window: files need no screen
        axes = figure.subplots()
        for forecast, colour in zip(forecasts, ("tab:orange", "tab:blue")[-len(forecasts) :], strict=True):
            draw_forecast(axes, forecast, colour)
        times: Any = [time for time, _ in load]  # matplotlib takes times, and its types do not say so
        axes.plot(times, [value for _, value in load], color="black", label="load")
        axes.set(title=f"{options.site} zone {options.zone}", xlabel="UTC", ylabel="kW")
        axes.legend()
        figure.savefig(options.output)


def draw_forecast(axes: Axes, forecast: dict[str, Any], colour: str) -> None:
    """Draw the median and the 90 % interval of a forecast, of which old ones keep some leads alone."""
    origin, step = datetime.fromisoformat(forecast["origin"]), timedelta(minutes=forecast["step_minutes"])
    leads = forecast["leads"] or range(1, len(forecast["median_kw"]) + 1)
    times: Any = [origin + lead * step for lead in leads]
    axes.plot(times, forecast["median_kw"], color=colour, label=f"forecast of {origin:%d %H:%M}")
    for interval in forecast["intervals"]:
        if interval["coverage"] == 0.9:
            axes.fill_between(times, interval["low_kw"], interval["high_kw"], color=colour, alpha=0.2)


def iso(time: datetime) -> str:
    """Return a time as the gateway takes it in a query."""
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Draw forecasts and the load of a zone.")
    parser.add_argument("--gateway", default="http://127.0.0.1:8000", help="address of the gateway (%(default)s)")
    parser.add_argument("--site", default="tetouan", help="name of the site (%(default)s)")
    parser.add_argument("--zone", type=int, default=2, help="number of the zone (%(default)s)")
    output = Path("forecast.png")
    parser.add_argument(
        "--output", type=Path, default=output, help="file of the picture: .png, .svg or .pdf (%(default)s)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
