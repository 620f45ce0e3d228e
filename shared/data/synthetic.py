"""A year that nobody measured: 2018 for Tetouan, for a machine that has no data and no way to get it.

It behaves like a measured one, so that everything downstream has something real to do: day, week and season, Ramadan
and holidays, weather and the load's answer to it, a lasting transfer between two zones, and disturbances about as hard
to forecast. The same bytes come out everywhere: values are rounded to steps far above the noise of any maths library.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared.sites.site import load_field

if TYPE_CHECKING:
    from shared.sites.site import Site

__all__ = ["YEAR", "synthetic_csv"]

YEAR = 2018
DAYS = 365
STEPS_A_DAY = 144
LATITUDE_RAD = np.radians(35.6)
# solar noon by the load's clock, and by the weather station's, which runs ahead as the measured one does
LOAD_NOON_HOUR = 12.4
WEATHER_NOON_HOUR = 13.1
COUNTS_PER_KW = 70  # a meter counts pulses: its load is a whole number of them

RAMADAN = (date(YEAR, 5, 17), date(YEAR, 6, 14))
TRANSFER_KW = 2500.0
TRANSFER_DAYS = (date(YEAR, 10, 25), date(YEAR, 10, 29))
# share of the load that a holiday takes away
HOLIDAYS = {
    date(YEAR, 1, 1): 0.07,
    date(YEAR, 1, 11): 0.04,
    date(YEAR, 5, 1): 0.07,
    date(YEAR, 6, 15): 0.18,  # Eid al-Fitr
    date(YEAR, 6, 16): 0.20,
    date(YEAR, 7, 30): 0.05,
    date(YEAR, 8, 14): 0.03,
    date(YEAR, 8, 20): 0.03,
    date(YEAR, 8, 21): 0.05,
    date(YEAR, 8, 22): 0.24,  # Eid al-Adha
    date(YEAR, 8, 23): 0.20,
    date(YEAR, 9, 11): 0.06,
    date(YEAR, 11, 6): 0.05,
    date(YEAR, 11, 20): 0.06,
    date(YEAR, 11, 21): 0.06,
}

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ZoneShape:
    """How one zone uses electricity; what has no unit in its name is a share of the level."""

    level_kw: float
    evening: float
    saturday: float
    sunday: float
    cooling_per_degree: float
    heating_per_degree: float
    summer: float
    decline: float
    disturbance_kw: float


ZONES = {
    1: ZoneShape(32700, 0.26, 0.01, 0.06, 0.013, 0.004, 0.10, 0.02, 1050),
    2: ZoneShape(20700, 0.26, 0.03, 0.14, 0.013, 0.008, 0.22, 0.00, 900),
    3: ZoneShape(17900, 0.43, 0.00, 0.01, 0.014, 0.004, 0.60, 0.38, 760),
}


@dataclass(frozen=True)
class HourlyGrid:
    """The grid: ``hour`` of the day 0..24, ``day`` of the year from 0, ``dates`` one per day, all in UTC."""

    hour: Array
    day: NDArray[np.int_]
    dates: tuple[date, ...]

    def per_step(self, daily: Array) -> Array:
        """Hold a value of each day; the town's day begins at five, and gently."""
        return _smooth(np.roll(daily[self.day], 5 * STEPS_A_DAY // 24), hours=1)

    def season(self, peak_day: float) -> Array:
        """Swing from -1 to 1 once a year with the top at ``peak_day``."""
        return np.cos(2 * np.pi * (self.day + self.hour / 24 - peak_day) / DAYS)

    def sun(self, noon_hour: float) -> Array:
        """Sine of the sun's elevation, negative at night."""
        declination = np.radians(-23.44) * np.cos(2 * np.pi * (self.day + 11) / DAYS)
        angle = 2 * np.pi * (self.hour - noon_hour) / 24
        swing = np.cos(LATITUDE_RAD) * np.cos(declination) * np.cos(angle)
        elevation_sine: Array = swing + np.sin(LATITUDE_RAD) * np.sin(declination)
        return elevation_sine


def synthetic_csv(site: Site) -> bytes:
    """Return the year as the site would publish it: its columns, number and time formats, LF line ends."""
    clock = _clock()
    bits = np.random.PCG64(849)
    weather = _weather(clock, bits)
    loads = _loads(clock, weather["temperature_c"], bits)
    cells = {name: [_station_text(value) for value in values.tolist()] for name, values in weather.items()}
    cells |= {name: [_meter_text(value) for value in values.tolist()] for name, values in loads.items()}
    header = (site.time_column, *site.columns)
    rows = zip(_times(clock), *(cells[name] for name in site.fields), strict=True)
    return "".join(f"{','.join(row)}\n" for row in (header, *rows)).encode()


def _station_text(value: float) -> str:
    """Write as the weather station does: four digits, at most three of them decimals."""
    return format(round(value, 3), ".4g")


def _meter_text(load_kw: float) -> str:
    """Write as the meter does: a whole number of counts, ten digits."""
    return format(round(load_kw * COUNTS_PER_KW) / COUNTS_PER_KW, ".10g")


def _clock() -> HourlyGrid:
    day, step = np.divmod(np.arange(DAYS * STEPS_A_DAY), STEPS_A_DAY)
    return HourlyGrid(step * 24 / STEPS_A_DAY, day, tuple(date(YEAR, 1, 1) + timedelta(days=n) for n in range(DAYS)))


def _times(clock: HourlyGrid) -> list[str]:
    minutes = range(0, 24 * 60, 24 * 60 // STEPS_A_DAY)
    return [f"{d.month}/{d.day}/{d.year} {m // 60}:{m % 60:02d}" for d in clock.dates for m in minutes]


def _weather(clock: HourlyGrid, bits: np.random.PCG64) -> dict[str, Array]:
    """Return the five weather fields."""
    sun = clock.sun(WEATHER_NOON_HOUR)
    height = np.maximum(sun, 0)
    summer = clock.season(peak_day=205)
    cloud = _logistic(1.5 * (_wander(clock, bits, hours=30) - summer - 0.4))
    passing = np.clip(1 + 0.18 * cloud * _wander(clock, bits, hours=1), 0.2, 1.4)
    daily_swing = (2.6 + 0.9 * summer) * (1 - 0.5 * cloud) * np.cos(2 * np.pi * (clock.hour - 15) / 24)
    departure = daily_swing + 2.1 * _wander(clock, bits, hours=70)
    global_flow = 980 * height**1.2 * (1 - 0.65 * cloud) * passing
    diffuse_flow = global_flow * (0.16 + 0.6 * cloud)
    temperature = 18.9 + 7.2 * summer + departure + 0.12 * _wander(clock, bits, hours=1)
    humidity = 68 - 4 * summer - 3.1 * departure + 8 * _wander(clock, bits, hours=20)
    # calm or a breeze that lasts for hours: the gauge knows hardly anything between
    breeze = (_wander(clock, bits, hours=60) + 1.5 * summer - 0.5)[:: STEPS_A_DAY // 8].repeat(STEPS_A_DAY // 8) > 0
    noise = _normal(bits, 3 * len(sun)).reshape(3, -1)
    return {
        "temperature_c": temperature,
        "humidity_pct": np.clip(humidity, 11, 95),
        "wind_speed_ms": np.where(breeze, 4.917, 0.08) + 0.004 * noise[0],
        "general_diffuse_flows_wm2": global_flow + np.abs(0.062 + 0.02 * noise[1]),
        "diffuse_flows_wm2": diffuse_flow + np.abs(0.12 + 0.03 * noise[2]),
    }


def _loads(clock: HourlyGrid, temperature_c: Array, bits: np.random.PCG64) -> dict[str, Array]:
    """Return the load of each zone in kW."""
    dark = _logistic(-clock.sun(LOAD_NOON_HOUR) / 0.045)
    awake = _awake(clock, dark)
    # a building answers to the temperature of the last hours, not of the minute
    felt_c = _smooth(temperature_c, hours=4)
    shared = _disturbance(clock, bits)
    since = [clock.dates.index(day) for day in TRANSFER_DAYS]
    transfer_kw = TRANSFER_KW * np.interp(clock.day + clock.hour / 24, since, [0.0, 1.0])
    moved_kw = {1: -transfer_kw, 2: transfer_kw}
    loads = {}
    for number, zone in ZONES.items():
        activity = 1 - clock.per_step(_rest(clock.dates, zone))
        lights = dark * (0.10 + zone.evening * awake)
        cooling = zone.cooling_per_degree * np.maximum(felt_c - 21, 0)
        heating = zone.heating_per_degree * np.maximum(15 - felt_c, 0)
        own = 0.6 * shared + 0.8 * _disturbance(clock, bits)
        shape = (0.62 + 0.40 * awake + lights + (cooling + heating) * (0.6 + 0.6 * awake)) * _year_shape(clock, zone)
        used_kw = zone.level_kw * shape * activity + zone.disturbance_kw * own
        loads[load_field(number)] = used_kw + moved_kw.get(number, 0.0)
    return loads


def _awake(clock: HourlyGrid, dark: Array) -> Array:
    """Return how much of the town is up, 0..1; in Ramadan the day begins late and ends before dawn."""
    fasting = clock.per_step(np.array([float(RAMADAN[0] <= day <= RAMADAN[1]) for day in clock.dates]))
    rise, rest = 8.8 + 1.3 * fasting, 23.3 + 3.6 * fasting
    friday_prayer = clock.per_step(np.array([float(day.isoweekday() == 5) for day in clock.dates]))
    # the evening before reaches past midnight
    today, since_yesterday = (
        _logistic((hour - rise) / 0.9) * _logistic((rest - hour) / 0.8) for hour in (clock.hour, clock.hour + 24)
    )
    noon = np.exp(-(((clock.hour - 13.2) / 0.8) ** 2))
    return (today + since_yesterday) * (1 - 0.12 * friday_prayer * noon) * (1 - 0.12 * fasting * (1 - dark))


def _rest(dates: tuple[date, ...], zone: ZoneShape) -> Array:
    """Return the share of the load that each day's rest takes away."""
    weekend = {6: zone.saturday, 7: zone.sunday}
    return np.array([max(HOLIDAYS.get(day, 0.0), weekend.get(day.isoweekday(), 0.0)) for day in dates])


def _year_shape(clock: HourlyGrid, zone: ZoneShape) -> Array:
    """Return the slow course of a zone's level: guests in July and August, customers lost in autumn."""
    day = clock.day + clock.hour / 24
    guests = np.exp(-(((day - 209) / 30) ** 2))
    return 1 + zone.summer * guests - zone.decline * _logistic((day - 255) / 12)


def _disturbance(clock: HourlyGrid, bits: np.random.PCG64) -> Array:
    """Return what no calendar explains, unit variance: most of it fades within a day, some lasts a week."""
    return 0.9 * _wander(clock, bits, hours=5, jolts=True) + 0.43 * _wander(clock, bits, hours=120)


def _wander(clock: HourlyGrid, bits: np.random.PCG64, hours: float, *, jolts: bool = False) -> Array:
    """Return a first-order autoregression with unit variance that forgets within ``hours``."""
    keep = float(np.exp(-24 / (STEPS_A_DAY * hours)))
    steps = len(clock.hour)
    kicks = _normal(bits, steps)
    if jolts:  # one kick in 16 is three times the others; the variance stays one
        kicks *= np.where(bits.random_raw(steps) % 16 == 0, 2.5, 0.806)
    scaled = kicks * np.sqrt(1 - keep**2)
    scaled[0] = kicks[0]
    return np.fromiter(accumulate(scaled.tolist(), lambda state, kick: keep * state + kick), float, steps)


def _normal(bits: np.random.PCG64, count: int) -> Array:
    """Return standard normal numbers: sums of twelve uniform ones, of bits that no release of NumPy will change."""
    uniform = bits.random_raw(3 * count).view(np.uint16).reshape(count, 12)
    sums: Array = uniform.sum(axis=1, dtype=np.float64)
    return (sums - 6 * 65535) / 65536


def _smooth(values: Array, hours: float) -> Array:
    """Return the exponential moving average of the values."""
    keep = float(np.exp(-24 / (STEPS_A_DAY * hours)))
    means = accumulate(values.tolist(), lambda mean, value: keep * mean + (1 - keep) * value)
    return np.fromiter(means, float, len(values))


def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))
