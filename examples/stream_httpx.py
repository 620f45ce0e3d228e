# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx>=0.28,<1"]
# ///
"""Follow the forecasts over HTTP: one line a forecast, without a Kafka client. docs/schemas says what a message holds.

A lost connection is made again, behind the last event that came: nothing is missed, and what comes twice is passed
over. A system that has to go on after a restart of its own keeps the last id beside what it has stored, and gives it as
`--behind`. A gateway that asks for a key is shown the one in the variable GATEWAY_KEY.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

ANSWER_S = 10.0  # then nobody is there
SILENCE_S = 40.0  # a comment comes every 15 seconds: then the connection is lost
AGAIN_S = 2.0  # from a lost connection to the next attempt
LEADS_MINUTES = (10, 60, 1440)  # or the next that the step of the site allows


class RefusedError(Exception):
    """The gateway does not let us in, or does not know what we ask for; the message says why."""


@dataclass
class Event:
    """A server-sent event; an empty name is that of one without."""

    name: str = ""
    data: str = ""
    id: str | None = None


def main() -> int:
    """Print forecasts until there are enough of them, or until Ctrl-C; returns the exit code."""
    options = parse_arguments()
    try:
        with closing(events(options)) as found:
            print_forecasts(found, options.count)
    except RefusedError as refusal:
        print(f"{options.gateway}: {refusal}", file=sys.stderr)
        return 2
    except httpx.TransportError as error:
        print(
            f"{options.gateway}: {error}: run `tetouan run gateway` or `docker compose up`, or give --gateway",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever reads our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def events(options: argparse.Namespace) -> Generator[Event]:
    """Yield events for ever, connecting again and again.

    Raises ``httpx.TransportError`` where nobody has answered yet, and ``RefusedError``.
    """
    last, answered = options.behind, False
    timeout = httpx.Timeout(ANSWER_S, read=SILENCE_S)
    key = {"Authorization": f"Bearer {os.environ['GATEWAY_KEY']}"} if os.environ.get("GATEWAY_KEY") else {}
    asked = {"topics": "forecasts", **({"site": options.site} if options.site else {})}
    with httpx.Client(base_url=options.gateway, timeout=timeout, headers=key) as client:
        while True:
            behind = {"Last-Event-ID": last} if last else {}
            try:
                client.get("/healthz", timeout=ANSWER_S)  # a stream may be silent for longer than nobody may
                with client.stream("GET", "/api/v1/stream", params=asked, headers=behind) as answer:
                    require(answer)
                    print(f"listening to {options.gateway}; Ctrl-C ends", file=sys.stderr)
                    answered = True
                    for event in parsed(answer.iter_lines()):
                        yield event
                        last = event.id or last  # only now: what was not handled comes again
                why = "the stream has ended"
            except httpx.TransportError as error:
                if not answered:
                    raise
                why = str(error)
            print(f"{why}; connecting again behind {last or 'now'}", file=sys.stderr)
            time.sleep(AGAIN_S)


def require(answer: httpx.Response) -> None:
    """Raise ``RefusedError`` where the answer is no stream, and ``httpx.TransportError`` where one may come later."""
    if answer.status_code == httpx.codes.OK:
        return
    answer.read()
    is_problem = "problem+json" in answer.headers.get("content-type", "")
    detail = answer.json()["detail"] if is_problem else f"status {answer.status_code}: is this the gateway?"
    if answer.status_code in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE}:
        raise httpx.ConnectError(detail)
    raise RefusedError(detail)


def parsed(lines: Iterable[str]) -> Iterator[Event]:
    """Yield the events that these lines are; comments are passed over."""
    event = Event()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if event != Event():
                yield event
            event = Event()
        elif field == "event":
            event.name = value
        elif field == "data":
            event.data += "\n" * bool(event.data) + value
        elif field == "id":
            event.id = value


def print_forecasts(found: Iterable[Event], count: int | None) -> None:
    """Print each forecast once; those of a zone come in the order of their origins."""
    last: dict[tuple[str, int], datetime] = {}
    printed = 0
    for event in found:
        if event.name != "forecasts":  # `gap`: something is no longer there; `end`: why the gateway ends the stream
            print(f"{event.name}: {event.data}", file=sys.stderr)
            continue
        try:
            forecast = json.loads(event.data)
            zone, origin = (forecast["site"], forecast["zone"]), datetime.fromisoformat(forecast["origin"])
            shown = line(forecast, origin)
        except (LookupError, TypeError, ValueError) as error:
            print(f"no forecast at {event.id}: {error!r}", file=sys.stderr)
            continue
        if zone not in last or origin > last[zone]:
            last[zone] = origin
            print(shown, flush=True)
            printed += 1
            if printed == count:
                return


def line(forecast: dict[str, Any], origin: datetime) -> str:
    """Return origin, zone, the demand ahead by the clock with its 90 % interval, and who answered."""
    interval = next((interval for interval in forecast["intervals"] if interval["coverage"] == 0.9), None)
    words = [f"{origin:%Y-%m-%d %H:%M}Z", f"{forecast['site']} zone {forecast['zone']}"]
    step = timedelta(minutes=forecast["step_minutes"])
    for lead in dict.fromkeys(-(-timedelta(minutes=minutes) // step) for minutes in LEADS_MINUTES):
        if lead <= len(forecast["median_kw"]):
            at = lead - 1  # the first number is one step after the origin
            bounds = f" [{interval['low_kw'][at]:,.10g}..{interval['high_kw'][at]:,.10g}]" if interval else ""
            words.append(f"{origin + lead * step:%d %H:%M} {forecast['median_kw'][at]:,.10g} kW{bounds}")
    return "  ".join([*words, "/".join(dict.fromkeys(span["level"] for span in forecast["levels"]))])


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Print one line a forecast, over HTTP.")
    parser.add_argument("--gateway", default="http://127.0.0.1:8000", help="address of the gateway (%(default)s)")
    parser.add_argument("--site", help="only of this site")
    parser.add_argument("--count", type=int, help="end after so many forecasts")
    parser.add_argument("--behind", metavar="ID", help="begin behind the event of this id, instead of now")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
