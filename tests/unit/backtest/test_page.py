"""The report of a backtest as one page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import pytest
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # Plotly 5 is published without types

from backtest.page import cell, page_of
from backtest.units import LoadUnit
from tests.unit.backtest.transcripts import DAY, flat_transcript, result_of, shift_targets, year

if TYPE_CHECKING:
    from backtest.transcript import Transcript
    from shared.data.year import Year

HEADINGS = (
    "At a glance",
    "By lead time",
    "Day by day",
    "By hour of the day",
    "By weekday",
    "By season",
    "Holidays and ordinary days",
    "The worst weeks",
)


class Elements(HTMLParser):
    """The start tags of a page with their attributes, and whether every one is closed in its turn."""

    VOID = ("meta", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.starts: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a start tag."""
        self.starts.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last element, which must be of that tag."""
        assert self.open.pop() == tag

    def count(self, tag: str) -> int:
        """Return how many elements have that tag."""
        return sum(1 for name, _ in self.starts if name == tag)


def page(transcript: Transcript, of: Year | None = None) -> str:
    """Return the page of a transcript without the script of Plotly, which it must hold once."""
    html = page_of(result_of(transcript, of))
    assert html.count(get_plotlyjs()) == 1
    return html.replace(get_plotlyjs(), "")


@pytest.fixture(scope="module")
def month() -> str:
    """The page of thirty days with a bad week."""
    transcript = flat_transcript(30)
    shift_targets(transcript, 10 * DAY, 17 * DAY, 300.0)
    return page(transcript)


class TestPage:
    """One file that holds all it needs."""

    def test_it_asks_no_other_host(self, month: str) -> None:
        """No address is in it, nothing has a source, and the browser is told to fetch nothing."""
        assert not re.findall(r"https?:|//cdn", month)
        elements = Elements(month)
        assert not [tag for tag, attributes in elements.starts if {"src", "href"} & attributes.keys()]
        policies = [a["content"] or "" for _, a in elements.starts if a.get("http-equiv") == "Content-Security-Policy"]
        assert [policy.split(";")[0] for policy in policies] == ["default-src 'none'"]

    def test_every_element_is_closed(self, month: str) -> None:
        """The page is well formed, and has a viewport for phones and a language."""
        elements = Elements(month)
        assert elements.open == []
        assert ("html", {"lang": "en"}) in elements.starts
        assert "viewport" in [attributes.get("name") for _, attributes in elements.starts]

    def test_every_section_is_there(self, month: str) -> None:
        """Its headings come in their order, the worst and the best day ahead last."""
        found = re.findall(r"<h2>(.*?)</h2>", month)
        assert tuple(found[:-2]) == HEADINGS
        assert found[-2:] == ["The worst day-ahead forecast: 2017-12-09", "The best day-ahead forecast: 2017-11-30"]

    def test_every_chart_has_words_and_a_table(self, month: str) -> None:
        """Each has a label for who cannot see it, one sentence below it, and a table in its section."""
        elements = Elements(month)
        charts = [attributes for _, attributes in elements.starts if attributes.get("role") == "img"]
        assert len(charts) == month.count("Plotly.newPlot(") == elements.count("figcaption") == 10
        assert all(attributes["aria-label"] for attributes in charts)
        assert elements.count("details") == 8
        captions = re.findall(r"<figcaption>(.*?)</figcaption>", month, re.DOTALL)
        assert all(caption.endswith(".") and len(caption) > 40 for caption in captions)

    def test_it_says_what_was_tested(self, month: str) -> None:
        """Site, zone, data, window and time zone stand at the top; measured data are not called synthetic."""
        top = " ".join(month.split("At a glance", maxsplit=1)[0].split())
        assert "<h1>Backtest of tetouan, zone 2</h1>" in top
        assert "file year.csv up to 2017-12-29 00:00: 5,472 readings, 2 rows refused (no_time). 4,320 forecasts" in top
        assert "from 2017-11-29 00:00 to 2017-12-29 00:00 UTC" in top
        assert "(UTC)" in top
        assert "SYNTHETIC" not in top

    def test_synthetic_data_are_called_so_in_big_letters(self) -> None:
        """A line of its own says it above everything else."""
        html = page(flat_transcript(2), year(label="SYNTHETIC year 2018", synthetic=True))
        assert '<p class="synthetic">SYNTHETIC DATA: nobody measured this load</p>' in html

    def test_the_label_cannot_write_the_page(self) -> None:
        """The name of a file is shown as it is."""
        html = page(flat_transcript(2), year(label="file <script>alert(1)</script>.csv"))
        assert "<script>alert(1)" not in html
        assert "file &lt;script&gt;alert(1)" in html

    def test_the_forecast_stands_beside_the_others(self, month: str) -> None:
        """The row of 24 h has its RMSE, a rule and the skill; the weather model has its own two rows."""
        rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in month.split("<tr>")]
        glance = next(row for row in rows if row[:1] == ["lead"])
        row = dict(zip(glance, next(row for row in rows if row[:1] == ["24 h"]), strict=True))
        assert row["RMSE kW"] == "143"
        assert row["best naive rule"]
        assert row["skill"] != "-"
        weather = {row[0]: row[1:] for row in rows if row and row[0].startswith(("weather model", "the same"))}
        assert [row[0] for row in weather.values()] == ["130", "133"]

    @pytest.mark.parametrize("days", [1 / DAY, 0.5, 2])
    def test_a_short_window_says_what_it_lacks(self, days: float) -> None:
        """Without a whole week there are no worst weeks, and the page says so."""
        html = page(flat_transcript(days))
        assert "None: the window holds no seven whole days of scored targets." in html
        assert ("None: the window holds no whole day of readings" in html) == (days < 2)
        assert ("Nothing was scored" in html) == (days < 0.1)
        assert Elements(html).open == []

    def test_nothing_to_score_is_said(self) -> None:
        """Without any reading there is a page, and no chart of nothing."""
        transcript = flat_transcript(2)
        transcript.demand_kw[:] = np.nan
        html = page(transcript)
        assert html.count("Nothing was scored") == 6
        assert "newPlot" not in html

    def test_a_gap_is_drawn_as_one(self) -> None:
        """A day without readings is null in the data of its chart, which is valid JSON."""
        transcript = flat_transcript(4)
        transcript.demand_kw[-2 * DAY : -DAY] = np.nan
        html = page(transcript)
        days = next(
            script for script in re.findall(r"Plotly\.newPlot\((.*?)\n?</script>", html) if "2017-12-01" in script
        )
        traces, _ = json.JSONDecoder().raw_decode(days[days.index("[{") :])
        assert traces[0]["y"] == [10.0, 10.0, None, 10.0]


class TestWords:
    """Values as people read them."""

    @pytest.mark.parametrize(
        ("value", "column", "shown"),
        [
            (1234.56, "rmse_kw", "1,235"),
            (-0.3, "bias_kw", "-0.300"),
            (0.06123, "rmse_kw", "0.0612"),
            (281_234.5, "median_kw", "281,234"),
            (21.66, "pinball_kw", "21.7"),
            (0.9034, "coverage_ratio", "90.3%"),
            (0.98765, "r2", "0.988"),
            (1008, "pairs", "1,008"),
            (float("nan"), "rmse_kw", "-"),
            (None, "best_naive_rule", "-"),
            (90, "lead_minutes", "1 h 30 min"),
            ("2017-12-01", "local_date", "2017-12-01"),
        ],
    )
    def test_the_unit_of_the_column_gives_the_form(self, value: object, column: str, shown: str) -> None:
        """Loads have three digits at least, shares per cent, R2 has three digits, and what is open is a dash."""
        assert cell(value, column, LoadUnit("kW", 1.0)) == shown
