"""One way to read a cell, for training and for the stream."""

from __future__ import annotations

import numpy as np
import pytest

from services.ingestor.judging import Accepted
from shared.data.cells import power_of, register_of, value_of
from shared.data.year import find_year
from shared.sites.site import Measure, Site
from shared.sites.table import site
from tests.unit.ingestor.test_judging import judged


@pytest.mark.parametrize("cell", ["1_000.5", "١٢٣", "0x10", "1e400", "nan", "", None, 5.0, True])
def test_what_is_no_plain_number_is_missing(cell: object) -> None:
    """Spellings that only a programming language knows are no numbers of a meter."""
    assert value_of(cell, "zone_2_kw", site("tetouan")) == (None, "missing")


def test_a_field_without_limits_takes_any_finite_number() -> None:
    """A site that names no limit for a field refuses nothing there."""
    assert value_of("1e12", "temperature_c", site("tetouan").model_copy(update={"limits": {}})) == (1e12, None)


@pytest.mark.parametrize(
    ("cell", "outcome"), [("1e9", (1e9, None)), ("-1e9", (-1e9, None)), ("1e12", (None, "outlier"))]
)
def test_no_load_is_above_a_million_mw(cell: str, outcome: tuple[object, object]) -> None:
    """What stands for no load at some meters would drown all sums, also where a site names no limits."""
    assert value_of(cell, "zone_2_kw", site("tetouan").model_copy(update={"limits": {}})) == outcome


def meter(kind: str, unit: str) -> Site:
    """Return a site of quarters of an hour whose zone 1 is measured so, up to 5 MW."""
    measures = {"zone_1_kw": Measure.model_validate({"kind": kind, "unit": unit})}
    changes = {"step_minutes": 15, "measures": measures, "limits": {"zone_1_kw": (0.0, 5000.0)}}
    return site("tetouan").model_copy(update=changes)


@pytest.mark.parametrize(
    ("kind", "unit", "cell", "value_kw"),
    [
        ("power", "W", "1234500", 1234.5),
        ("power", "kW", "1234.5", 1234.5),
        ("power", "MW", "1.2345", 1234.5),
        ("energy", "Wh", "308625", 1234.5),
        ("energy", "kWh", "308.625", 1234.5),
        ("energy", "kW", "308.625", 1234.5),
        ("energy", "MWh", "0.308625", 1234.5),
    ],
)
def test_a_load_is_the_power_in_kw_whatever_the_meter_publishes(
    kind: str, unit: str, cell: str, value_kw: float
) -> None:
    """Energy of a quarter of an hour is four times as much in kW; of energy a unit of power means that an hour long."""
    assert value_of(cell, "zone_1_kw", meter(kind, unit)) == (value_kw, None)


def test_limits_are_those_of_the_power_in_kw() -> None:
    """The limits of a site do not change with its unit."""
    assert value_of("6", "zone_1_kw", meter("power", "MW")) == (None, "outlier")
    assert value_of("6000", "zone_1_kw", meter("power", "W")) == (6.0, None)
    assert power_of(10_000.0, 1.0, "zone_1_kw", meter("register", "kWh")) == (None, "outlier")


@pytest.mark.parametrize("unit", ["MW", "MWh"])
def test_a_number_that_its_unit_makes_infinite_is_no_value(unit: str) -> None:
    """What no float can hold neither goes on the wire nor raises."""
    energy = meter("energy", unit)
    assert value_of("1e306", "zone_1_kw", energy.model_copy(update={"limits": {}})) == (None, "outlier")
    assert register_of("1e306", "zone_1_kw", meter("register", unit)) is None


@pytest.mark.parametrize(
    ("now", "before", "outcome"),
    [
        ("48213.4", "48213.1", (1.2, None)),
        ("48213.1", "48213.1", (0.0, None)),
        ("9876543210.7", "9876543210.4", (1.2, None)),
        ("48213.1", "48213.4", (None, "outlier")),
        ("0.2", "99999.9", (None, "outlier")),
        ("48213.4", "", (None, "missing")),
        ("", "48213.4", (None, "missing")),
        ("48213.4", None, (None, "missing")),
    ],
)
def test_a_register_gives_the_power_of_one_step(now: str, before: str | None, outcome: tuple[object, object]) -> None:
    """The difference by the hours; without the reading a step before it is missing, one that falls is an outlier."""
    place = meter("register", "kWh")
    now_kwh, before_kwh = (register_of(cell, "zone_1_kw", place) for cell in (now, before))
    assert power_of(now_kwh, before_kwh, "zone_1_kw", place) == outcome


def test_training_reads_what_the_stream_publishes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A cell that is no number, an impossible one and a rounded one: the year's arrays hold what the ingestor says."""
    year = find_year("synthetic", tmp_path_factory.mktemp("cache"))
    column = next(column for column, field in year.site.columns.items() if field == "zone_2_kw")
    year.rows.loc[year.rows.index[:3], column] = ["1_000.5", "1e12", "12345.678"]
    start, until = year.times[0].to_pydatetime(), year.times[6].to_pydatetime()
    outcomes = judged(*(raw for _, raw in year.raw_messages(start, until)))
    readings = [outcome.reading for outcome in outcomes if isinstance(outcome, Accepted)]
    for field in year.site.fields:
        published = [np.nan if reading.values[field] is None else reading.values[field] for reading in readings]
        np.testing.assert_array_equal(year.values(field)[:6], np.array(published, dtype=float))
