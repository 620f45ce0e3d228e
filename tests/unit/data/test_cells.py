"""One way to read a cell, for training and for the stream."""

from __future__ import annotations

import numpy as np
import pytest

from services.ingestor.judging import Accepted
from shared.data.cells import value_of
from shared.data.sites import site
from shared.data.year import find_year
from tests.unit.ingestor.test_judging import judged


@pytest.mark.parametrize("cell", ["1_000.5", "١٢٣", "0x10", "1e400", "nan", "", None, 5.0, True])
def test_what_is_no_plain_number_is_missing(cell: object) -> None:
    """Spellings that only a programming language knows are no numbers of a meter."""
    assert value_of(cell, "zone_2_kw", site("tetouan")) == (None, "missing")


def test_a_field_without_limits_takes_any_finite_number() -> None:
    """A site that names no limit for a field refuses nothing there."""
    assert value_of("1e12", "temperature_c", site("tetouan").model_copy(update={"limits": {}})) == (1e12, None)


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
