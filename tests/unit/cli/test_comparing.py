"""`tetouan compare`: what it shows and writes, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from typer.testing import CliRunner

from backtest.compare import comparison
from cli.__main__ import app
from shared.runtime.settings import Refused
from tests.unit.years import small_year

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write 24 days as a file of the built-in site."""
    path = tmp_path_factory.mktemp("data") / "small.csv"
    small_year(24, "").rows.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Let the commands share a registry of their own; creating its tables takes seconds."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TETOUAN_STATE_DIR", str(folder))
        yield folder


def run(*words: str) -> str:
    """Return what the command prints."""
    done = CliRunner().invoke(app, ["compare", *words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_was_asked_for_is_shown_judged_and_written(file: str, tmp_path: Path) -> None:
    """Tables to people, one JSON object and one CSV to machines; no other algorithm is fitted."""
    told, table = tmp_path / "told.json", tmp_path / "board.csv"
    html = ["--html", str(tmp_path / "board.html")]
    said = run("--data", file, "--only", "elastic-net, naive", "--json", str(told), "--csv", str(table), *html)
    assert "PASS" in said
    assert "SVR" not in said
    result = json.loads(told.read_text())
    models = {row["model"] for row in result["results"]}
    assert {"ElasticNet", "persistence"} < models
    assert not {"XGBoost", "stream"} & models
    assert result["results"][0]["code_version"].startswith("0.")
    assert set(pd.read_csv(table)["model"]) == models
    assert "Comparison on tetouan" in (tmp_path / "board.html").read_text(encoding="utf-8")


def test_the_stream_stands_beside_the_rules_of_the_same_window(file: str, tmp_path: Path) -> None:
    """Its figures are those of `tetouan backtest` on the last 20 %."""
    told, backtested = tmp_path / "told.json", tmp_path / "backtested.json"
    run("--data", file, "--only", "stream", "--json", str(told))
    CliRunner().invoke(app, ["backtest", "--data", file, "--json", str(backtested)], catch_exceptions=False)
    leads = json.loads(backtested.read_text())["leads"]
    ours = {row["lead_minutes"]: row for row in json.loads(told.read_text())["results"] if row["model"] == "stream"}
    assert {lead: row["rmse_kw"] for lead, row in ours.items()} == {
        int(lead): figures["rmse_kw"] for lead, figures in leads.items() if lead != "mean"
    }
    assert all(row["fit_cpu_s"] > 0 for row in ours.values())


def test_without_its_package_an_algorithm_is_left_out_and_why_is_said(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others go on."""
    monkeypatch.setattr(comparison, "lacking_workbench", lambda name, package: f"{name} needs {package}")
    assert "XGBoost needs xgboost" in run("--data", file, "--only", "xgboost,naive")


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    """Exit code 2, and nothing is read."""
    refused = CliRunner().invoke(app, ["compare", "--only", "elastic-nett"], terminal_width=300)
    assert refused.exit_code == 2
    assert "did you mean elastic-net?" in refused.output


def test_a_file_without_loads_to_score_is_refused(file: str, tmp_path: Path) -> None:
    """The line says what to give."""
    rows = pd.read_csv(file, dtype=str)
    rows.iloc[-5 * 144 :, 7] = ""
    rows.to_csv(tmp_path / "half.csv", index=False)
    refused = CliRunner().invoke(app, ["compare", "--data", str(tmp_path / "half.csv"), "--only", "naive"])
    assert isinstance(refused.exception, Refused)
    assert "has no load on one side of" in str(refused.exception)


def test_each_model_is_kept_as_a_run_of_the_experiment_of_the_site(
    file: str, state_folder: Path, tmp_path: Path
) -> None:
    """With parameters, figures, fingerprint, a card and a picture; nothing is registered as a model."""
    from mlflow import MlflowClient  # noqa: PLC0415 - as the registry does

    said = run("--data", file, "--only", "elastic-net", "--json", str(tmp_path / "told.json"))
    uri = f"sqlite:///{state_folder / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name("compare-tetouan")
    assert experiment is not None
    assert f"#/experiments/{experiment.experiment_id}" in said
    newest = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time DESC"])[0]
    (row,) = json.loads((tmp_path / "told.json").read_text())["results"]
    assert newest.info.status == "FINISHED"
    assert newest.data.params["alpha"] == "0.1"
    assert newest.data.metrics["rmse_kw"] == pytest.approx(row["rmse_kw"])
    assert newest.data.tags["data_sha256"] == row["data_sha256"]
    assert {each.path for each in client.list_artifacts(newest.info.run_id)} == {"model_card.md", "predictions.png"}
    assert client.search_registered_models() == []


def test_full_adds_rolling_origins_the_leak_and_warmer_weather(file: str, tmp_path: Path) -> None:
    """The leak is called one in the table and in the JSON, and is on no side of a target."""
    told = tmp_path / "told.json"
    said = run("--data", file, "--only", "elastic-net", "--full", "--json", str(told))
    result = json.loads(told.read_text())
    assert [task["split"] for task in result["tasks"]] == [row["split"] for row in result["results"]]
    assert [row["trained_on_this_data"] for row in result["results"]] == [False, False, True]
    assert said.count("LEAK") >= 2
    (warmed,) = result["warmed"]
    assert (warmed["model"], warmed["warmer_c"]) == ("ElasticNet", 5.0)
    assert warmed["warmer_rmse_kw"] != warmed["rmse_kw"]
