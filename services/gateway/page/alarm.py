"""What an operator has to know first: the findings about a zone, the worst one first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = [
    "LARGE_MAPE",
    "NOMINAL",
    "RANK",
    "REPLAYED",
    "STALE_STEPS",
    "Judgement",
    "Situation",
    "findings",
    "is_large",
    "is_narrow",
    "is_watched",
    "lag",
    "light_of",
    "silence",
]

Severity = Literal["ok", "info", "warning", "critical"]
RANK: dict[Severity, int] = {"critical": 0, "warning": 1, "info": 2, "ok": 3}

REPLAYED = timedelta(days=30)  # readings that are older and still arrive are those of a replay
STALE_STEPS, DEAD = 3, timedelta(hours=3)
BEHIND_STEPS = 2
ANSWERED = timedelta(seconds=10)  # a forecast follows its reading within a second
UNWATCHED, YOUNG = timedelta(hours=3), timedelta(days=1)  # scores come every hour, of a young site not yet
NEW = timedelta(days=14)  # until then a model without a prior has too little history
NOMINAL, COVERAGE_MISSING = 0.9, 0.05  # of the widest interval, and how much less over seven days is told
SMALL_MAPE, LARGE_MAPE = 0.12, 0.15  # where the light of a mean absolute error changes
LEAST_TIMES = 1.1  # an error that is less above the usual one is the usual one


@dataclass(frozen=True)
class Situation:
    """What is known of a zone at a time; what is not known is None.

    Attributes
    ----------
    silent
        For how long no reading has come; None where the past is looked at.
    step
        From one reading to the next.
    first_reading, last_reading
        Of the site.
    looked_back
        How far before the last reading one with a load or weather was looked for.
    last_load, load_flag
        The newest reading with a load of the zone, and why a later one has none.
    origin, level, reason
        Of the newest forecast, and who answers an hour ahead, and why it is not the best level.
    behind
        By how much the newest forecast is behind the readings.
    notes, events
        What the forecast says of the load, and the drift events that last: as on the topics.
    scored, unscored
        The newest scores, or the first forecast where there are none, and by how much they are behind the readings.
    nominal, coverage, mape
        Of the widest interval; what came of it over seven days; the error over seven days; ratios.
    times
        The error over seven days by that over 28 days.
    lasting
        Since when a finding holds that readings and messages do not date, by its kind: ``begun``, or ``longer_than``.
    wider_kw
        By how much the widest band is wider in the mean than before the fallback.
    reserve_kw
        How much more on each side of the peak the widest band would need to hold what it promises.
    red
        The largest error of all lead groups and windows: ``lead``, ``window``, ``mape``.
    has_weather, last_weather
        Whether the site publishes any, and the newest reading that has some.
    """

    silent: timedelta | None
    step: timedelta
    first_reading: datetime
    last_reading: datetime
    looked_back: timedelta = timedelta(hours=48)
    last_load: datetime | None = None
    load_flag: str | None = None
    origin: datetime | None = None
    behind: timedelta = timedelta(0)
    level: str | None = None
    reason: str | None = None
    notes: Sequence[Mapping[str, Any]] = ()
    events: Sequence[Mapping[str, Any]] = ()
    scored: datetime | None = None
    unscored: timedelta = timedelta(0)
    nominal: float = NOMINAL
    coverage: float | None = None
    mape: float | None = None
    times: float | None = None
    lasting: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    wider_kw: float | None = None
    reserve_kw: float | None = None
    red: Mapping[str, Any] | None = None
    has_weather: bool = False
    last_weather: datetime | None = None


@dataclass(frozen=True)
class Judgement:
    """One thing to know: its kind, which names its words, how bad it is, and what its words are filled with.

    ``detail`` is what a service has written, in English. Each of the ``figures`` is a sentence of its own.
    """

    kind: str
    severity: Severity
    said: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def since(self) -> datetime | None:
        """Since when it holds, None where that is not known."""
        known = self.said.get("since") or self.said.get("origin") or self.figures.get("begun")
        return known if isinstance(known, datetime) else None


def silence(age: timedelta, since_arrival: timedelta | None) -> timedelta:
    """Return for how long no reading has come.

    Readings of years ago that arrive now are those of a replay, whose age says nothing.

    Parameters
    ----------
    age
        Wall clock less the time of the newest reading.
    since_arrival
        Since when none has arrived here; None where none has since the gateway was started.
    """
    if since_arrival is None:
        return age
    return since_arrival if age >= REPLAYED else max(age, since_arrival)  # the clock of a meter may be ahead


def lag(behind: timedelta, age: timedelta, since_arrival: timedelta | None) -> timedelta:
    """Return by how much forecasts, or scores, are behind.

    In a replay hours go by between a reading and its forecast: while forecasts arrive they are not behind.

    Parameters
    ----------
    behind
        The newest reading less the origin of the newest forecast, or the time of the newest scores.
    age
        Wall clock less the time of the newest reading.
    since_arrival
        Since when none has arrived here; None where none has since the gateway was started.
    """
    answers = since_arrival is not None and since_arrival < ANSWERED
    return timedelta(0) if age >= REPLAYED and answers else behind


def is_narrow(coverage: float | None, nominal: float = NOMINAL) -> bool:
    """Return whether bands hold clearly less than they promise."""
    return coverage is not None and coverage < nominal - COVERAGE_MISSING


def is_large(mape: float | None) -> bool:
    """Return whether a mean absolute error, a ratio, is one to tell."""
    return mape is not None and mape > LARGE_MAPE


def is_watched(said: Sequence[Judgement]) -> bool:
    """Return whether scores come, by the findings: else those that are there are old."""
    return all(judgement.kind != "unwatched" for judgement in said)


def light_of(mape: float | None) -> Literal["green", "yellow", "red"] | None:
    """Return the traffic light of a mean absolute error as a ratio."""
    if mape is None:
        return None
    return "green" if mape <= SMALL_MAPE else "yellow" if mape <= LARGE_MAPE else "red"


def findings(now: Situation) -> list[Judgement]:
    """Return what is to be known, the worst first; where nothing is wrong, that."""
    found = [finding for rule in RULES for finding in rule(now)]
    return sorted(found, key=lambda finding: RANK[finding.severity]) or [Judgement("ok", "ok")]


def _stale(now: Situation) -> list[Judgement]:
    if now.silent is None or now.silent <= STALE_STEPS * now.step:
        return []
    severity: Severity = "critical" if now.silent >= DEAD else "warning"
    return [Judgement("stale", severity, {"since": now.last_reading, "ago": now.silent})]


def _no_load(now: Situation) -> list[Judgement]:
    without = DEAD if now.last_load is None else now.last_reading - now.last_load
    if without < STALE_STEPS * now.step:
        return []
    kind = "refused" if now.load_flag not in (None, "missing") else "no_load"
    return [Judgement(kind, "critical" if without >= DEAD else "warning", _begun(now, now.last_load))]


def _behind(now: Situation) -> list[Judgement]:
    if now.origin is None:
        return [Judgement("no_forecast", "warning")]
    if now.behind < BEHIND_STEPS * now.step:
        return []
    return [Judgement("behind", "critical", {"origin": now.origin, "late": now.behind})]


def _notes(now: Situation) -> list[Judgement]:
    severities: dict[str, Severity] = {"outage": "critical", "shift": "warning", "transfer": "warning"}
    return [
        Judgement(note["kind"], severities.get(note["kind"], "info"), {"since": _time(note["since"])}, note["text"])
        for note in now.notes
    ]


def _level(now: Situation) -> list[Judgement]:
    if now.level in (None, "adapted") or now.origin is None:
        return []
    said = {"level": now.level}
    if now.origin - now.first_reading < NEW:
        return [Judgement("cold", "info", {**said, "until": now.first_reading + NEW}, now.reason or "")]
    figures = {**now.lasting.get("fallback", {}), **_known(wider_kw=now.wider_kw)}
    return [Judgement("fallback", "warning", said, now.reason or "", figures)]


def _drift(now: Situation) -> list[Judgement]:
    severities: dict[str, Severity] = {"critical": "critical", "warning": "warning"}
    return [
        Judgement(
            f"drift_{event['kind']}",
            severities[event["severity"]],
            {"since": _time(event["started"])},
            event["text"],
            _worse(now) if event["kind"] == "model" else {},
        )
        for event in now.events
        if event["severity"] in severities
    ]


def _is_unwatched(now: Situation) -> bool:
    return now.unscored > UNWATCHED and now.last_reading - now.first_reading >= YOUNG


def _unwatched(now: Situation) -> list[Judgement]:
    return [Judgement("unwatched", "warning", {"since": now.scored})] if _is_unwatched(now) else []


def _coverage(now: Situation) -> list[Judgement]:
    if _is_unwatched(now) or not is_narrow(now.coverage, now.nominal):
        return []
    figures = {**now.lasting.get("coverage", {}), **_known(reserve_kw=now.reserve_kw)}
    return [Judgement("coverage", "warning", {"coverage": now.coverage, "nominal": now.nominal}, "", figures)]


def _error(now: Situation) -> list[Judgement]:
    if _is_unwatched(now) or not is_large(now.mape):
        return []
    figures = {**now.lasting.get("error", {}), **_worse(now)}
    return [Judgement("error", "warning", {"mape": now.mape, "limit": LARGE_MAPE}, "", figures)]


def _red(now: Situation) -> list[Judgement]:
    """Return what a red light says that the error of all leads over seven days does not."""
    if _is_unwatched(now) or is_large(now.mape) or now.red is None or not is_large(now.red["mape"]):
        return []
    return [Judgement("red", "info", {**now.red, "limit": LARGE_MAPE})]


def _worse(now: Situation) -> Mapping[str, Any]:
    return _known(times=now.times if now.times is not None and now.times >= LEAST_TIMES else None)


def _weather(now: Situation) -> list[Judgement]:
    if not now.has_weather or (
        now.last_weather is not None and now.last_reading - now.last_weather < STALE_STEPS * now.step
    ):
        return []
    return [Judgement("no_weather", "warning", _begun(now, now.last_weather))]


def _known(**figures: float | None) -> Mapping[str, Any]:
    return {name: value for name, value in figures.items() if value is not None}


def _begun(now: Situation, last: datetime | None) -> Mapping[str, Any]:
    """Return since when something is gone that a reading had last, as far as that is known."""
    if last is not None:
        return {"since": last + now.step}
    is_all = now.last_reading - now.first_reading <= now.looked_back
    return {"since": now.first_reading} if is_all else {"longer_than": now.looked_back}


def _time(told: str) -> datetime:
    return datetime.fromisoformat(told)


RULES: tuple[Callable[[Situation], list[Judgement]], ...] = (
    _behind,
    _stale,
    _no_load,
    _notes,
    _drift,
    _level,
    _unwatched,
    _coverage,
    _error,
    _weather,
    _red,
)
"""Of findings that are as bad as each other the one of the first rule comes first."""
