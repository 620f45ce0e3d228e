"""The page of a look at a file, for files of every kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # Plotly 5 is published without types

from backtest.explore.page import page_of_exploration
from backtest.explore.parts import parts_of
from tests.unit.backtest.explore.files import load_kw, look_at, times
from tests.unit.backtest.test_page import Elements

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from backtest.explore.exploration import Exploration


def page(found: Exploration) -> str:
    """Return the page without the script of Plotly."""
    return page_of_exploration(found, parts_of(found)).replace(get_plotlyjs(), "")


def drawn_well(html: str) -> None:
    """Assert what holds of every page: well formed, alone, each chart with a caption, no value that is none."""
    elements = Elements(html)
    assert elements.open == []
    assert not re.findall(r"https?:|//cdn", html)
    charts = [attributes for _, attributes in elements.starts if attributes.get("role") == "img"]
    assert len(charts) == html.count("Plotly.newPlot(") == elements.count("figcaption")
    words = re.sub(r"<script.*?</script>|<style.*?</style>", "", html, flags=re.DOTALL)
    assert not re.findall(r"\b(nan|NaN|None|inf|NaT)\b", words)


def test_a_whole_file(tmp_path: Path) -> None:
    """Ten weeks of two zones with weather and a holiday have every part but the year."""
    at = times(115)
    temperature = 10 + 5 * np.cos(2 * np.pi * (at.hour - 15) / 24) + at.dayofweek
    html = page(look_at(tmp_path, at, load_1=load_kw(at), load_2=2 * load_kw(at) + at.day, Temperature=temperature))
    drawn_well(html)
    headings = re.findall(r"<h2>(.*?)</h2>", html)
    for heading in (
        "Columns",
        "The zones beside each other",
        "The load and the weather",
        "Holidays",
        "Traces of summer time",
    ):
        assert heading in headings
    assert "What the month explains of the load: there are fewer than 300 days" in html
    assert "Zone 1 is lowest on Sun" in html


def without_weather(at: pd.DatetimeIndex) -> dict[str, object]:
    """Return a load alone."""
    return {"load": load_kw(at)}


def rarely_read(at: pd.DatetimeIndex) -> dict[str, object]:
    """Return a load that is read in the morning alone."""
    return {"load": np.where(at.hour < 12, load_kw(at), np.nan)}


def constant(at: pd.DatetimeIndex) -> dict[str, object]:
    """Return a load and a temperature that never change."""
    return {"load": np.full(len(at), 500.0), "Temperature": np.full(len(at), 20.0)}


def full_of_holes(at: pd.DatetimeIndex) -> dict[str, object]:
    """Return a load that lacks 40 % of its values, and a temperature that is known where it is not."""
    holes = np.random.default_rng(1).random(len(at)) < 0.4
    return {
        "load": np.where(holes, np.nan, load_kw(at)),
        "Temperature": np.where(holes, 15.0 + at.hour, np.where(at.day < 20, 5.0, np.nan)),
    }


@pytest.mark.parametrize(
    ("days", "step", "columns", "said"),
    [
        (60, 60, without_weather, "The file has no weather"),
        (60, 15, without_weather, "There is one zone"),
        (3, 15, without_weather, "the file has fewer than 42 days"),
        (3, 60, without_weather, "What the weekday explains of the load: there are fewer than two weeks"),
        (60, 60, rarely_read, "fewer than 42 days are known well enough"),
        (60, 60, constant, "load and Temperature: constant"),
        (60, 60, full_of_holes, "No correlation with the weather"),
    ],
)
def test_what_cannot_be_said_is_said(tmp_path: Path, days: int, step: int, columns: object, said: str) -> None:
    """Each file makes a page, which says what it lacks."""
    at = times(days, step)
    html = page(look_at(tmp_path, at, ("load",), **columns(at)))  # type: ignore[operator]
    drawn_well(html)
    assert said in html


def test_names_of_a_file_cannot_write_the_page(tmp_path: Path) -> None:
    """What a file calls its columns is shown as it is."""
    at = times(10)
    html = page(look_at(tmp_path, at, (), **{"load <script>alert(1)</script>": load_kw(at)}))
    assert "<script>alert(1)" not in html
    assert "load &lt;script&gt;" in html
