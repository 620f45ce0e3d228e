"""A training that is done again: the same to the last bit, and what has changed is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from shared.runtime.registry import ModelVersion
from shared.training.data import TrainingData
from shared.training.record import RECORD, TrainingRecord
from shared.training.reproduction import ELSEWHERE, Agreement, Retrained, compared, fit_again
from shared.training.training import written
from tests.unit.years import small_year

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from shared.data.year import Year
    from shared.training.reproduction import Reproduction

UNTIL = datetime(2017, 3, 1, tzinfo=UTC) + timedelta(days=17)
CLIP = "method.regression.clip_rms"


def trained(year: Year, folder: Path, params: Mapping[str, str] | None = None) -> Retrained:
    """Train the demand model of zone 2 with the constants of a version."""
    history = TrainingData.of(year, 2, UNTIL)
    made = written(
        fit_again("zone-demand", history, params or {}, lambda _: None), history, year, folder, lambda _: None
    )
    return Retrained({name: str(value) for name, value in made.params.items()}, made.metrics, made.record)


@pytest.fixture(scope="module")
def year() -> Year:
    """Nineteen days."""
    return small_year(19, "a" * 64)


@pytest.fixture(scope="module")
def first(year: Year, tmp_path_factory: pytest.TempPathFactory) -> Retrained:
    """The training that a version was registered with."""
    return trained(year, tmp_path_factory.mktemp("model"))


def version_of(made: Retrained) -> ModelVersion:
    """Return the version that a training would have registered."""
    tags = {"data_sha256": made.record.data_sha256}
    return ModelVersion("zone-demand-tetouan-2", "1", tags=tags, metrics=dict(made.metrics), params=dict(made.params))


def differing(found: Reproduction) -> set[str]:
    """Return what counts against a reproduction."""
    return {f"{check.what} {check.name}" for check in found.differing}


def test_the_same_training_gives_the_same_to_the_last_bit(year: Year, first: Retrained, tmp_path: Path) -> None:
    """Parameters, constants, sizes, files, scores, libraries, machine and code are all compared, and equal."""
    found = compared(version_of(first), first.record, trained(year, tmp_path, first.params))
    assert found.succeeded
    assert (found.allowed, found.notable) == (0.0, ())
    inputs = {"parameter", "constant", "data", "training size", "readings", "library", "machine", "code"}
    assert found.equal.keys() == inputs | {"model", "file", "score"}
    assert "to the last bit" in found.reason


def test_a_changed_parameter_is_named(first: Retrained) -> None:
    """With both values."""
    changed = version_of(first)
    changed = replace(changed, params={**changed.params, "floor_kw": "5.0"})
    found = compared(changed, first.record, first)
    assert [str(check) for check in found.differing] == [
        f"parameter floor_kw: registered 5.0, now {first.params['floor_kw']}: differs"
    ]


def test_a_changed_constant_is_named_though_the_training_takes_the_registered_one(
    year: Year, first: Retrained, tmp_path: Path
) -> None:
    """The version itself comes out again; this release would train another one."""
    old = trained(year, tmp_path, {**first.params, CLIP: "1.5"})
    assert (old.params[CLIP], first.params[CLIP]) == ("1.5", "8.0")
    assert old.record.sha256 != first.record.sha256
    found = compared(version_of(old), old.record, old)
    assert [str(check) for check in found.differing] == [f"constant {CLIP}: registered 1.5, now 8.0: differs"]


def test_a_constant_that_this_release_does_not_have_is_named(year: Year, first: Retrained, tmp_path: Path) -> None:
    """Its own constants are taken then."""
    params = {**first.params, "method.magic": "3"}
    again = trained(year, tmp_path, params)
    found = compared(replace(version_of(first), params=params), first.record, again)
    assert [str(check) for check in found.differing] == ["constant method.magic: registered 3, now -: differs"]


def test_a_changed_row_is_named_by_its_day(year: Year, first: Retrained, tmp_path: Path) -> None:
    """And what comes of it: another file of the model, other scores."""
    rows = year.rows.copy()
    rows.loc[5 * 144 + 60, "Zone 2  Power Consumption"] = "21000.5"
    again = trained(replace(year, rows=rows, sha256="b" * 64), tmp_path, first.params)
    found = compared(version_of(first), first.record, again)
    assert {"data sha256", "readings of 2017-03-06", "file state.npz", "score rmse_kw/mean"} <= differing(found)
    assert "file reference.parquet" in differing(found)


def test_a_row_less_is_named_by_the_sizes(year: Year, first: Retrained, tmp_path: Path) -> None:
    """A reading that is missing in the training is a load less."""
    shorter = replace(year, rows=year.rows.drop(index=700), times=year.times.delete(700), sha256="c" * 64)
    found = compared(version_of(first), first.record, trained(shorter, tmp_path, first.params))
    assert {"data rows", "training size loads", "readings of 2017-03-05"} <= differing(found)


def test_another_library_is_named_and_scores_may_then_differ_a_little(first: Retrained) -> None:
    """Files are not compared; a score may differ by its millionth part, and no more."""
    old = first.record.model_copy(update={"libraries": {**first.record.libraries, "numpy": "1.0"}})
    close = {name: value * (1 + ELSEWHERE / 2) for name, value in first.metrics.items() if value}
    found = compared(version_of(first), old, first._replace(metrics={**first.metrics, **close}))
    assert found.succeeded
    assert found.allowed == ELSEWHERE
    named = [check for check in found.notable if check.what == "library"]
    assert [(check.name, check.registered, check.verdict) for check in named] == [("numpy", "1.0", Agreement.OTHER)]
    far = {**first.metrics, "rmse_kw/mean": first.metrics["rmse_kw/mean"] * (1 + 3 * ELSEWHERE)}
    assert differing(compared(version_of(first), old, first._replace(metrics=far))) == {"score rmse_kw/mean"}


def test_on_the_same_machine_the_last_bit_counts(first: Retrained) -> None:
    """A score that differs by as little as can be is a difference."""
    name = "rmse_kw/mean"
    off = {**first.metrics, name: first.metrics[name] * (1 + 2**-52)}
    found = compared(version_of(first), first.record, first._replace(metrics=off))
    assert differing(found) == {f"score {name}"}


def test_other_code_is_named(first: Retrained) -> None:
    """By the checksum of its source; it explains differences, and is none by itself."""
    old = first.record.model_copy(update={"code_sha256": "0" * 64})
    found = compared(version_of(first), old, first)
    assert found.succeeded
    assert [check.what for check in found.notable] == ["code"]


def test_a_version_without_a_record_is_compared_as_far_as_it_goes(first: Retrained) -> None:
    """A sentence says what cannot be compared, and what to do."""
    found = compared(version_of(first), None, first)
    assert found.succeeded
    assert "kept no record of its training" in found.reason
    assert "`tetouan train` registers" in found.reason
    assert found.equal.keys() == {"parameter", "constant", "data", "score"}


def test_a_record_is_read_as_it_was_written(first: Retrained, tmp_path: Path) -> None:
    """Where there is none None is read, and what is none is refused."""
    assert TrainingRecord.read(tmp_path) is None
    first.record.write(tmp_path)
    assert TrainingRecord.read(tmp_path) == first.record
    (tmp_path / RECORD).write_text("{}")
    with pytest.raises(ValueError, match=r"training\.json is no record"):
        TrainingRecord.read(tmp_path)


def test_no_difference_is_relative_to_a_bias_near_zero(first: Retrained) -> None:
    """A bias is a mean of errors of both signs: what it may differ by is relative to the RMSE beside it."""
    old = first.record.model_copy(update={"machine": "another"})
    version = version_of(first)
    version = replace(version, metrics={**version.metrics, "bias_kw/mean": 1e-9})
    now = first._replace(metrics={**first.metrics, "bias_kw/mean": 2e-9})
    assert "score bias_kw/mean" not in differing(compared(version, old, now))


def test_a_registered_file_that_has_changed_is_named(first: Retrained) -> None:
    """The record tells what the training wrote, not what lies in the registry by now."""
    found = compared(version_of(first), first.record, first, ["state.npz"])
    assert [str(check) for check in found.differing] == [
        "file state.npz: registered as recorded, now changed since: differs"
    ]


def test_where_nothing_can_be_compared_nothing_is_reproduced(first: Retrained) -> None:
    """Neither scores nor files of the same machine are there: equal constants are no proof."""
    unscored = replace(version_of(first), metrics={})
    now = first._replace(metrics={})
    assert compared(unscored, first.record, now).succeeded  # the files of the same machine are the same
    assert differing(compared(unscored, None, now)) == {"score of any kind"}


def test_a_score_that_nobody_could_compute_is_equal_to_another(first: Retrained) -> None:
    """Such as one of a window without loads."""
    version = version_of(first)
    nothing = {**version.metrics, "rmse_kw/mean": float("nan")}
    assert compared(replace(version, metrics=nothing), first.record, first._replace(metrics=nothing)).succeeded
