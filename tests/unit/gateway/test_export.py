"""The history as Parquet: all that is asked for, in the order of time, with the types of its columns."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import URL
from typer.testing import CliRunner

from cli.__main__ import app
from services.gateway import tables
from services.gateway.database import Database
from services.gateway.decoding import row_of
from services.gateway.export import Chosen, export, require_site
from services.gateway.packing import packed
from services.gateway.writing import Row
from shared.contracts import topics
from shared.runtime.settings import Refused
from tests.unit.gateway.test_decoding import consumed, golden
from tests.unit.gateway.test_writing import FORECAST, READING, written

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("readings", "forecasts", "scores", "drift_events", "model_events", "dead_letters")
KW = np.array([[10.0, 20.0], [9.0, 18.0], [11.0, 22.0]])


def exported(database: Database, folder: Path, chosen: Chosen | None = None) -> dict[str, pd.DataFrame]:
    """Return what the files hold, and compare their rows with the counts that are told."""
    with database.reader.connect() as connection:
        counts = export(connection, folder, chosen or Chosen())
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in counts}
    assert {name: len(frame) for name, frame in frames.items()} == counts
    return frames


def test_an_empty_history_has_empty_files(database: Database, tmp_path: Path) -> None:
    """Each has its columns."""
    frames = exported(database, tmp_path)
    assert tuple(frames) == NAMES
    assert all(len(frame) == 0 for frame in frames.values())
    assert {"site", "time", "rmse_kw"} <= set(frames["scores"].columns)
    assert {"id", "started", "ended"} <= set(frames["drift_events"].columns)


def test_readings_have_a_column_for_each_field(database: Database, tmp_path: Path) -> None:
    """What a site does not have is missing, and so is what was refused; times are aware."""
    other = {**READING, "site": "b", "time_s": 0, "values_json": '{"zone_2_kw":null}', "flags_json": "{}"}
    written(database, Row(tables.READINGS, other), Row(tables.READINGS, READING))
    frame = exported(database, tmp_path)["readings"]
    assert frame["site"].tolist() == ["a", "b"]
    assert frame["time"].tolist() == [pd.Timestamp(600, unit="s", tz="UTC"), pd.Timestamp(0, unit="s", tz="UTC")]
    assert frame["zone_1_kw"].tolist()[0] == 1.0
    assert frame[["zone_1_kw", "zone_2_kw"]].isna().to_numpy().tolist() == [[False, True], [True, True]]


def test_forecasts_have_a_row_for_each_lead(database: Database, tmp_path: Path) -> None:
    """Whole or thinned: the target is as many steps after the origin as the lead says, with its level and bounds."""
    levels = [
        {"from_lead": 1, "to_lead": 1, "level": "adapted"},
        {"from_lead": 2, "to_lead": 144, "level": "weather", "reason": "a gap"},
    ]
    notes = [{"kind": "outage", "text": "no load", "since": "2017-10-19T06:00:00Z"}]
    whole = {**FORECAST, "notes_json": json.dumps(notes), "arrays": packed(KW), "levels_json": json.dumps(levels)}
    old = {**whole, "origin_s": 0, "leads_json": "[1,144]", "coverages_json": "[0.8]", "weather_estimate_kw": None}
    written(database, Row(tables.FORECASTS, whole), Row(tables.FORECASTS, old))
    frame = exported(database, tmp_path)["forecasts"]
    assert frame["lead_minutes"].tolist() == [10, 1440, 10, 20]
    assert (frame["target"] - frame["origin"]).tolist() == [pd.Timedelta(minutes=each) for each in (10, 1440, 10, 20)]
    assert frame["median_kw"].tolist() == [10.0, 20.0, 10.0, 20.0]
    assert frame["level"].tolist() == ["adapted", "weather", "adapted", "weather"]
    assert frame["low_80_kw"].fillna(-1).tolist() == [9.0, 18.0, -1, -1]
    assert frame["high_90_kw"].fillna(-1).tolist() == [-1, -1, 11.0, 22.0]
    assert frame["weather_estimate_kw"].fillna(-1).tolist() == [-1, -1, 0.1, 0.1]
    assert frame["demand_model"].tolist() == ["m/1"] * 4
    assert frame["reason"].astype(object).fillna("").tolist() == ["", "a gap", "", "a gap"]
    assert [json.loads(text) for text in frame["notes_json"]] == [notes] * 4


def test_scores_and_events_come_as_they_were_sent(database: Database, tmp_path: Path) -> None:
    """One row for each score, with its figures; an event with its times, and the whole message as JSON."""
    score = {"lead_minutes": 60, "scored_minutes": 60, "window_days": 7, "rmse_kw": 1.5}
    payload = zlib.compress(json.dumps([score, {**score, "lead_minutes": None}]).encode())
    written(
        database,
        Row(tables.SCORES, {"site": "a", "zone": 1, "time_s": 3600, "payload": payload}),
        row_of(consumed(topics.DRIFT, golden("drift.events-ended"))),
        row_of(consumed(topics.MODELS, golden("models.events"))),
    )
    frames = exported(database, tmp_path)
    assert frames["scores"]["rmse_kw"].tolist() == [1.5, 1.5]
    assert frames["scores"]["lead_minutes"].isna().tolist() == [False, True]
    assert frames["scores"]["lead_minutes"].dtype == frames["drift_events"]["zone"].dtype == pd.Int32Dtype()
    event = frames["drift_events"].iloc[0]
    assert event["started"] == pd.Timestamp(golden("drift.events-ended")["started"])
    assert json.loads(event["payload_json"]) == golden("drift.events-ended")
    assert json.loads(frames["model_events"]["payload_json"][0]) == golden("models.events")


def test_one_site_and_a_span_can_be_asked_for(database: Database, tmp_path: Path) -> None:
    """The first time belongs to the span, its end does not."""
    rows = [{**READING, "site": name, "time_s": time_s} for name in "ab" for time_s in (0, 600, 1200)]
    written(database, *(Row(tables.READINGS, row) for row in rows))
    chosen = Chosen("b", datetime.fromtimestamp(600, UTC), datetime.fromtimestamp(1200, UTC))
    frame = exported(database, tmp_path, chosen)["readings"]
    assert frame["site"].tolist() == ["b"]
    assert frame["time"].tolist() == [pd.Timestamp(600, unit="s", tz="UTC")]


def test_what_was_refused_is_written_too(database: Database, tmp_path: Path) -> None:
    """Where the original stands, and why; records of no site are among all."""
    letter = {"topic": "t", "partition": 0, "site": "a", "reason": "bad_value", "field": "load", "received_s": 600}
    far = 2**40
    letters = [{**letter, "offset": far}, {**letter, "offset": far + 1, "site": None, "field": None}]
    written(database, *(Row(tables.DEAD_LETTERS, row) for row in letters))
    frame = exported(database, tmp_path)["dead_letters"]
    assert sorted(frame["offset"]) == [far, far + 1]
    assert set(frame["received"]) == {pd.Timestamp(600, unit="s", tz="UTC")}
    (row,) = exported(database, tmp_path, Chosen("a"))["dead_letters"].to_dict("records")
    assert (row["offset"], row["reason"], row["field"]) == (far, "bad_value", "load")


@pytest.mark.parametrize(
    ("name", "hint"), [("Tetuan", "did you mean tetouan?"), ("x", "it has a, tetouan"), ("b", None), ("a", None)]
)
def test_a_site_that_is_not_there_is_refused(database: Database, name: str, hint: str | None) -> None:
    """With the sites that are there; one of which there are only events is there, too."""
    event = row_of(consumed(topics.DRIFT, {**golden("drift.events-ended"), "site": "b"}))
    sites = [{"site": each, "step_minutes": 10, "first_s": 0, "last_s": 0} for each in ("a", "tetouan")]
    readings = [{**READING, "site": each} for each in ("a", "tetouan")]
    written(
        database,
        *(Row(tables.SITES, row) for row in sites),
        *(Row(tables.READINGS, row) for row in readings),
        event,
    )
    with database.reader.connect() as connection:
        if hint is None:
            require_site(connection, name)
        else:
            with pytest.raises(Refused) as refused:
                require_site(connection, name)
            assert str(refused.value) == f"the history has no such site: {name!r}; {hint}"


def test_the_command_writes_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what it has written; without a history it says what to do."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path / "state"))
    words = ["history", "export", "--parquet", str(tmp_path / "out"), "--until", "1970-01-02"]
    done = CliRunner().invoke(app, words)
    assert "there is no history at" in str(done.exception)
    assert "last demo" not in str(done.exception)
    for run in ("20240101T000000-9", "20240102T000000-7", "other"):
        (tmp_path / "state" / "runs" / run).mkdir(parents=True)
        (tmp_path / "state" / "runs" / run / "history.db").touch()
    (tmp_path / "state" / "runs" / "20240103T000000-8").mkdir()
    done = CliRunner().invoke(app, words)
    left = f"sqlite:///{tmp_path}/state/runs/20240102T000000-7/history.db"
    assert str(done.exception).endswith(f"that of the last demo is TETOUAN_DATABASE_URL={left}")
    database = Database(URL.create("sqlite", database=str(tmp_path / "state" / "history" / "history.db")))
    database.migrate()
    written(database, Row(tables.READINGS, READING))
    database.close()
    done = CliRunner().invoke(app, words)
    assert f"wrote {tmp_path / 'out' / 'readings.parquet'}: 1 rows" in done.stdout
    assert sorted(file.stem for file in (tmp_path / "out").iterdir()) == sorted(NAMES)
    words[3] = str(tmp_path / "other")
    done = CliRunner().invoke(app, [*words, "--site", "nowhere"])
    assert "the history has no such site: 'nowhere'" in str(done.exception)
    assert not (tmp_path / "other").exists()
