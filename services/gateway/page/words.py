"""What the page says, in English and Spanish: texts, numbers with units, and times on the clock of a site."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from services.gateway.page.documents import FindingDocument
from services.gateway.page.texts import Language, texts
from shared.forecasting.digits import digits
from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.gateway.page.alarm import Judgement

__all__ = ["NONE", "Words", "rendered", "unit_of", "unit_of_all"]

NONE = "\N{EN DASH}"
THIN = "\N{NARROW NO-BREAK SPACE}"
MEGA_FROM_KW, LEAST_IN_MEGA_KW = 100_000.0, 1000.0
CONTRACTED = re.compile(r"\b(de|a) el\b")  # del, al
ADVISED = ("wider_kw", "reserve_kw")  # figures of an advice


@dataclass(frozen=True)
class Words:
    """Says things in a language, with times on a clock.

    Attributes
    ----------
    language
        ``en`` or ``es``.
    time_zone
        An IANA name.
    unit
        Of loads: one for all that stand beside each other; None: that of each one's size.
    """

    language: Language = "en"
    time_zone: str = "UTC"
    unit: Literal["kW", "MW"] | None = None

    def __call__(self, key: str, **said: Any) -> str:
        """Return a text, filled; raises ``KeyError`` where there is none."""
        filled = self.unfilled(key).format(**{name: self._shown(name, value) for name, value in said.items()})
        return CONTRACTED.sub(r"\1l", filled) if self.language == "es" and said else filled

    def unfilled(self, key: str) -> str:
        """Return a text as it stands in the table."""
        return texts()[key][self.language]

    def kw(self, kw: float | None) -> str:
        """Return a load with its unit."""
        if kw is None:
            return NONE
        unit = self.unit or unit_of(kw)
        value = kw / 1000 if unit == "MW" else kw
        return f"{self._marks(digits(value))}{THIN}{unit}"

    def percent(self, ratio: float | None, decimals: int = 1) -> str:
        """Return a share with its unit."""
        return NONE if ratio is None else f"{self._marks(f'{100 * ratio:.{decimals}f}')}{THIN}%"

    def time(self, time: datetime | None) -> str:
        """Return a time of day with its date."""
        if time is None:
            return NONE
        there = time.astimezone(self._clock)
        return f"{self.date(time)} {there:%H:%M}"

    def date(self, time: datetime) -> str:
        """Return a day."""
        there = time.astimezone(self._clock)
        weekday, month = self("weekdays").split()[there.weekday()], self("months").split()[there.month - 1]
        return f"{weekday} {there.day} {month} {there.year}"

    def hour(self, time: datetime) -> str:
        """Return a time of day with its weekday."""
        there = time.astimezone(self._clock)
        return f"{self('weekdays').split()[there.weekday()]} {there:%H:%M}"

    def local(self, time: datetime) -> str:
        """Return a time as a form field has it."""
        return f"{time.astimezone(self._clock):%Y-%m-%d %H:%M}"

    def offset(self, time: datetime) -> str:
        """Return by how much the clock is before UTC at a time."""
        minutes = int((time.astimezone(self._clock).utcoffset() or timedelta()).total_seconds() // 60)
        hours, rest = divmod(abs(minutes), 60)
        return f"UTC{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}"

    def duration(self, length: timedelta) -> str:
        """Return a length of time in its two largest units."""
        seconds = int(length.total_seconds())
        if 0 < seconds < 60:
            return f"{seconds}{THIN}s"
        minutes = seconds // 60
        days, hours = minutes // 1440, minutes // 60 % 24
        if days:
            said = f"{days}{THIN}{self('day' if days == 1 else 'days')}"
            return said if days >= 10 else f"{said} {hours}{THIN}h"
        return f"{hours}{THIN}h {minutes % 60}{THIN}min" if hours else f"{minutes}{THIN}min"

    @cached_property
    def _clock(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def _shown(self, name: str, value: Any) -> str:
        match value:
            case datetime():
                return self.time(value)
            case timedelta():
                return self.duration(value)
            case float():
                return self._figure(name, value)
            case _ if name in ("level", "window"):
                return self(f"{name}.{value}")
            case _ if name == "lead":
                return lead_name(value) if value else self("good.mean")
            case _:
                return str(value)

    def _figure(self, name: str, value: float) -> str:
        """Return a number by its name: a load, how many times something is, else a share."""
        if name.endswith("_kw"):
            return self.kw(value)
        return self._marks(f"{value:.1f}") if name == "times" else self.percent(value)

    def _marks(self, number: str) -> str:
        """Return a number that was written in the English way with the marks of the language."""
        return number if self.language == "en" else number.replace(",", THIN).replace(".", ",")


def unit_of(kw: float) -> Literal["kW", "MW"]:
    """Return the unit that suits a load."""
    return "MW" if abs(kw) >= MEGA_FROM_KW else "kW"


def unit_of_all(loads: Iterable[float | None]) -> Literal["kW", "MW"]:
    """Return the unit that suits all of some loads: MW where the largest is large and none is small."""
    known = [abs(kw) for kw in loads if kw]
    return "MW" if known and unit_of(max(known)) == "MW" and min(known) >= LEAST_IN_MEGA_KW else "kW"


def rendered(finding: Judgement, words: Words) -> FindingDocument:
    """Return a finding in words: its figures are sentences after its text, or after what to do."""
    since = "_longer" if "longer_than" in finding.said else ""
    said, advice = [words(f"finding.{finding.kind}{since}", **finding.said)], [words(f"advice.{finding.kind}")]
    for name, value in finding.figures.items():
        (advice if name in ADVISED else said).append(words(f"figure.{name}", **{name: value}))
    return FindingDocument(
        kind=finding.kind,
        severity=finding.severity,
        text=" ".join(said),
        advice=" ".join(advice).strip(),
        detail=finding.detail,
        since=finding.since,
    )
