"""Which reports are due, what can be compared in them, and how they lie in their folder."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from services.monitor.reports import archive
from services.monitor.reports.request import Figures, Report, ReportRequest, ReportSchedule, change
from services.monitor.reports.sufficiency import sufficient_columns, sufficient_pairs
from tests.unit.monitor.reports.written import MIDNIGHT, report

HOUR = timedelta(hours=1)


def due(schedule: ReportSchedule, hours: range) -> list[int]:
    """Return the hours after midnight at which the report is due."""
    return [hour for hour in hours if schedule.is_due("tetouan", 2, 7, MIDNIGHT + hour * HOUR)]


class TestCalendar:
    """A report is due once a period."""

    def test_the_first_comes_at_once_then_one_each_midnight(self) -> None:
        """The first full window is reported, whenever it is full; then the first hour of every day (UTC)."""
        assert due(ReportSchedule(24), range(5, 80)) == [5, 24, 48, 72]

    def test_a_midnight_without_scores_is_made_good(self) -> None:
        """Where the stream has a gap at midnight, the first scores of the day bring the report."""
        schedule = ReportSchedule(24)
        assert due(schedule, range(20, 23)) == [20]
        assert due(schedule, range(27, 40)) == [27]

    def test_the_period_is_configurable(self) -> None:
        """Six hours give four reports a day; zero gives none."""
        assert due(ReportSchedule(6), range(25)) == [0, 6, 12, 18, 24]
        assert due(ReportSchedule(0), range(50)) == []

    def test_zones_and_windows_have_their_own(self) -> None:
        """What was made for one does not count for another."""
        schedule = ReportSchedule(24)
        keys = [("tetouan", 2, 7), ("tetouan", 2, 28), ("tetouan", 1, 7)]
        assert all(schedule.is_due(*key, MIDNIGHT) for key in keys)
        assert not any(schedule.is_due(*key, MIDNIGHT + HOUR) for key in keys)

    def test_it_goes_on_where_it_was(self) -> None:
        """What was made before a stop is not due again in its period, also where that has another length since."""
        old = ReportSchedule(24)
        assert due(old, range(5, 6)) == [5]
        made_s = old.made_s("tetouan", (1, 2))
        assert made_s.tolist() == [[-1, -1], [MIDNIGHT.timestamp(), -1]]
        for hours, expected in ((24, [24]), (6, [6, 12, 18, 24]), (0, [])):
            new = ReportSchedule(hours)
            new.resume(made_s, "tetouan", (1, 2))
            assert due(new, range(5 if hours == 24 else 6, 25)) == expected


def test_an_order_survives_the_pipe(tmp_path: Path) -> None:
    """The rows arrive bit by bit as they were sent, missing values among them."""
    rows = np.array([[1.5, np.nan], [-0.0, 1e300]])
    request = ReportRequest(
        site="tetouan",
        zone=2,
        window_days=7,
        until=MIDNIGHT,
        step_minutes=10,
        model="zone-demand-tetouan-2/1",
        columns=("a", "b"),
        rows=rows.tobytes(),
        registry_uri="sqlite:////x",
        artifact_root=None,
        report_dir=tmp_path,
        kept=7,
    )
    line = request.model_dump_json()
    read = ReportRequest.model_validate_json(line)
    assert read == request
    assert read.table.tobytes() == rows.tobytes()
    assert read.table.shape == (2, 2)
    assert "\n" not in line


def test_a_change_is_relative_to_the_reference() -> None:
    """It is the ratio less one; against nothing, or against a reference that is not above zero, there is none."""
    now, then = Figures(rmse=110.0, mae=90.0, r2=0.9), Figures(rmse=100.0, mae=0.0, r2=-0.2)
    changed = change(now, then)
    assert changed.rmse == pytest.approx(0.1)
    assert (changed.mae, changed.r2) == (None, None)


class TestSufficiency:
    """Nothing that Evidently would fail on, or that means nothing, reaches it."""

    def test_empty_short_and_constant_columns_are_left_out(self) -> None:
        """A column needs a day of values on both sides and a spread in the reference; a stuck sensor is compared."""
        rng = np.random.default_rng(0)
        current = pd.DataFrame(rng.normal(size=(1008, 7)), columns=list("abcdefg"))
        hours = pd.DataFrame(rng.normal(size=(400, 7)), columns=list("abcdefg"))
        current["b"] = np.nan
        current.loc[143:, "c"] = np.nan
        hours["d"] = 5.0
        hours.loc[23:, "e"] = np.nan
        current["f"] = 5.0
        current.loc[144:, "g"] = np.nan
        assert sufficient_columns(current, hours, 144) == ["a", "f", "g"]

    @pytest.mark.parametrize(
        ("current_kw", "hours_kw", "enough"),
        [
            (np.arange(144.0), np.arange(24.0), True),
            (np.arange(143.0), np.arange(24.0), False),
            (np.arange(144.0), np.arange(23.0), False),
            (np.zeros(144), np.arange(24.0), False),
            (np.arange(144.0), np.full(24, 7.0), False),
            (np.array([]), np.array([]), False),
        ],
    )
    def test_pairs_need_a_day_and_a_load_that_varies(
        self, current_kw: np.ndarray, hours_kw: np.ndarray, *, enough: bool
    ) -> None:
        """Forecasts are judged from a day of them on, against a load that moves."""
        current, hours = (pd.DataFrame({"load": kw, "forecast": kw}) for kw in (current_kw, hours_kw))
        assert sufficient_pairs(current, hours, 144) is enough


class TestArchive:
    """The files of the reports."""

    def test_the_newest_are_kept_and_latest_points_at_the_last(self, tmp_path: Path) -> None:
        """Of each zone and window length so many remain, page and figures alike; `latest` is the last written."""
        for day in range(5):
            for window_days in (7, 28):
                one = report(MIDNIGHT + timedelta(days=day), window_days=window_days)
                archive.store(tmp_path, one, f"page {day}", one.model_dump_json(), kept=2)
        folder = tmp_path / "tetouan-2"
        days = ["2017-10-29T0000Z", "2017-10-30T0000Z"]
        expected = {f"{day}-{window}d" for day in days for window in (7, 28)} | {"latest-7d", "latest-28d"}
        assert {path.name for path in folder.iterdir()} == {
            f"{stem}.{end}" for stem in expected for end in ("html", "json")
        }
        assert (folder / "latest-7d.html").read_text() == "page 4"
        assert Report.model_validate_json((folder / "latest-28d.json").read_bytes()).until == MIDNIGHT + timedelta(
            days=4
        )

    def test_a_replay_that_starts_anew_keeps_its_reports(self, tmp_path: Path) -> None:
        """What was written last stays, even where reports of a later event time lie there."""
        for until in (MIDNIGHT + timedelta(days=300), MIDNIGHT):
            one = report(until)
            archive.store(tmp_path, one, "page", one.model_dump_json(), kept=1)
        assert [one.until for one in archive.listed(tmp_path)] == [MIDNIGHT]

    def test_the_list_has_the_newest_first_and_no_strangers(self, tmp_path: Path) -> None:
        """Reports come by the end of their window; `latest`, torn files and files of others are passed over."""
        for day, zone in ((0, 2), (1, 1), (1, 2)):
            one = report(MIDNIGHT + timedelta(days=day), zone=zone)
            archive.store(tmp_path, one, "page", one.model_dump_json(), kept=7)
        (tmp_path / "tetouan-2" / "2017-11-01T0000Z-7d.json").write_text('{"site": "tet')
        (tmp_path / "notes.json").write_text("{}")
        listed = archive.listed(tmp_path)
        assert [(one.until.day, one.zone) for one in listed] == [(27, 2), (27, 1), (26, 2)]
        assert archive.listed(tmp_path / "nothing") == []

    def test_a_file_that_cannot_be_written_leaves_the_former(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """On a full disk the error is raised, what stood there stays whole, and no unfinished file remains."""
        file = tmp_path / "x.json"
        file.write_bytes(b"former")

        def full(path: Path, _content: bytes) -> int:
            path.touch()
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            archive.replace(file, b"later")
        assert file.read_bytes() == b"former"
        assert list(tmp_path.iterdir()) == [file]
