"""The accuracy of each month."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from backtest.explore.part import records
from backtest.monthly import by_month
from backtest.monthly_page import monthly_table, page_of_months
from backtest.result_file import ResultFile
from backtest.tables import ScoreTable
from shared.data.errors import DataError
from tests.unit.backtest.test_page import Elements
from tests.unit.backtest.transcripts import DAY, UTC_CALENDAR, flat_transcript, result_of, shift_targets

if TYPE_CHECKING:
    from pathlib import Path

    from backtest.transcript import Transcript


def kept(folder: Path, transcript: Transcript) -> ResultFile:
    """Write a result as the command does, and read it."""
    file = folder / "result.json"
    file.write_text(json.dumps(result_of(transcript).to_json(), allow_nan=False), encoding="utf-8")
    return ResultFile.read(file)


def an_hour_ahead(transcript: Transcript) -> list[dict[str, Any]]:
    """Return the rows of one hour ahead, by month."""
    return records(by_month(transcript, UTC_CALENDAR).query("lead_minutes == 60"))


def test_each_month_has_its_own_figures() -> None:
    """Two days of November are 10 kW too high, December 90 kW too low from its first day on."""
    transcript = flat_transcript(12)  # from 29 November on
    shift_targets(transcript, 2 * DAY, 12 * DAY, 100.0)
    november, december = an_hour_ahead(transcript)
    assert (november["month"], december["month"]) == ("2017-11", "2017-12")
    assert november["pairs"] == 2 * DAY - 6  # the first targets have no origin in the window
    assert (november["rmse_kw"], november["bias_kw"]) == pytest.approx((10, 10))
    assert (december["rmse_kw"], december["bias_kw"]) == pytest.approx((90, -90))
    assert december["mape_ratio"] == pytest.approx(90 / 20_100)
    assert (november["coverage_ratio"], december["coverage_ratio"]) == (1, 0)


def test_the_rules_are_compared_with() -> None:
    """A load that jumps by 100 kW on 1 December costs "same time yesterday" one day of it, "last week" seven."""
    transcript = flat_transcript(12)
    shift_targets(transcript, 2 * DAY, 12 * DAY, 100.0)
    _, row = an_hour_ahead(transcript)
    assert row["yesterday_rmse_kw"] == pytest.approx(100 * np.sqrt(1 / 10))
    assert row["last_week_rmse_kw"] == pytest.approx(100 * np.sqrt(7 / 10))
    assert row["last_week_skill_ratio"] == pytest.approx(1 - 90 / row["last_week_rmse_kw"])


def test_one_month_is_what_the_table_says() -> None:
    """Over a window within a month the figures are those of the score table, to the bit."""
    transcript = flat_transcript(8, start=flat_transcript(4).test_from.replace(month=12, day=5))
    shift_targets(transcript, DAY, 2 * DAY, 77.0)
    frame = by_month(transcript, UTC_CALENDAR).set_index("lead_minutes")
    table = ScoreTable.of(transcript).leads(("rmse_kw", "mape", "bias_kw", "coverage"))
    for lead in (60, 360, 1440):
        row, figures = frame.loc[lead], table[str(lead)]
        assert [row[name] for name in ("rmse_kw", "mape_ratio", "bias_kw", "coverage_ratio")] == list(figures.values())[
            1:
        ]


def test_the_page_and_the_table(tmp_path: Path) -> None:
    """The page asks no other host, has two charts with words, and says where the day ahead is worst."""
    transcript = flat_transcript(12)
    shift_targets(transcript, 2 * DAY, 12 * DAY, 100.0)
    result = kept(tmp_path, transcript)
    html = page_of_months([result])
    elements = Elements(html)
    assert elements.open == []
    assert elements.count("figcaption") == 2
    assert "A day ahead the RMSE is highest in 2017-12, 90.0 kW" in html
    assert "Content-Security-Policy" in html
    table = monthly_table([result, result])
    assert len(table) == 12
    assert table.columns[:4].tolist() == ["site", "zone", "month", "lead_minutes"]


def test_nothing_scored_is_said(tmp_path: Path) -> None:
    """A window without any load makes a page that says so."""
    transcript = flat_transcript(2)
    transcript.demand_kw[:] = np.nan
    assert "Nothing was scored" in page_of_months([kept(tmp_path, transcript)])


@pytest.mark.parametrize(
    ("text", "said"), [("load,1\n", "no JSON"), ("{}", "no site in it"), ('{"site": "x"}', "no zone in it")]
)
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, text: str, said: str) -> None:
    """The line names the file, and what to give."""
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=f"other.json: {said}.*tetouan backtest --json"):
        ResultFile.read(file)
