"""`tetouan models`: what is listed and compared, and which version is the champion afterwards."""

from __future__ import annotations

import asyncio
import json
import math
import pickle
import shlex
import shutil
import sys
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_LZMA, ZIP_STORED, ZipFile

import numpy as np
import pytest
from numpy.lib import format as npy

from cli import models as models_module
from cli import promoting
from cli.__main__ import main
from services.forecaster.asking import Asking, Pair
from services.forecaster.issuing import ZoneModels
from services.forecaster.settings import ForecasterSettings
from shared.contracts.messages import ModelNames
from shared.runtime.registered import FILE, named_model
from shared.runtime.registry import REASON, ModelVersion, Registry, Signature
from shared.runtime.settings import Refused, load
from shared.sites.grid import Grid
from shared.sites.table import site
from shared.training.announcing import Announcement
from shared.training.verdicts import COMPARABLE, NotBetterError, why_better
from tests.unit.forecaster.conftest import START, STEP, fitted
from tests.unit.forecasting.test_artefact import array_with, header, replaced, rewritten

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from shared.contracts.messages import ModelEvent
    from shared.forecasting.model import ZoneDemand
    from shared.forecasting.weather import WeatherDemand

DEMAND, WEATHER = "zone-demand-tetouan-2", "weather-demand-tetouan-2"
CRITERION = {DEMAND: "rmse_kw/mean", WEATHER: "rmse_kw/corrected"}
AS_OF = START - STEP


@dataclass
class Topic:
    """The topic of model events, and the newest reading on the topic of clean ones."""

    events: list[ModelEvent] = field(default_factory=list)
    fault: str | None = None
    reads: bool = True
    newest: datetime | None = None
    meanwhile: Callable[[], object] = field(default=lambda: None)

    def announce(self, events: Sequence[ModelEvent], _settings: object) -> Announcement:
        """Take what it does not know, as the real one does, or none of it; something else may happen ``meanwhile``."""
        if self.fault is not None and (events or not self.reads):
            return Announcement(0, self.fault)
        if events:
            self.meanwhile()
        wanted = {event.model: event.version for event in self.events}
        unknown = [event for event in events if wanted.get(event.model) != event.version]
        self.events += unknown
        return Announcement(len(unknown), None)

    @property
    def changes(self) -> list[tuple[str, str, str | None]]:
        """What was told, in its order."""
        return [(event.change, event.model, event.version) for event in self.events]


@dataclass
class Here:
    """A registry of a test's own, the topic, and the command."""

    registry: Registry
    models: ZoneModels
    topic: Topic
    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *words: str) -> tuple[object, str, str]:
        """Return exit code, output and errors of a command."""
        self.monkeypatch.setattr(sys, "argv", ["tetouan", "models", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self.capsys.readouterr()
        return ended.value.code, said.out, " ".join(said.err.split())

    def register(
        self,
        name: str,
        rmse_kw: float | None = 500.0,
        data: str = "a",
        as_of: datetime = AS_OF,
        spoil: Callable[[Path], None] | None = None,
    ) -> ModelVersion:
        """Register the model of that name once more, as if fitted on those data up to then."""
        model: ZoneDemand | WeatherDemand | None = self.models.demand if name == DEMAND else self.models.weather
        assert model is not None
        folder = self.folder / "files"
        folder.mkdir(exist_ok=True)
        model.save(folder / FILE)
        if spoil is not None:
            spoil(folder / FILE)
        span = {"as_of": as_of.isoformat(), "test_until": (START + timedelta(days=9)).isoformat()}
        return self.registry.register(
            name,
            folder,
            params={**span, "trees": 3, "data": data},
            metrics={} if rmse_kw is None else {CRITERION[name]: rmse_kw},
            tags={"as_of": span["as_of"], "data_sha256": data, "data_source": "file", "site_digest": "s"},
            signature=Signature({"step": "long"}, {"demand_kw": "double"}),
            run_name=name,
        )

    def champions(self, *names: str) -> list[str | None]:
        """Return the versions that are champions."""
        found = (self.registry.champion(name) for name in names)
        return [None if champion is None else champion.version for champion in found]


@pytest.fixture(scope="module")
def models() -> ZoneModels:
    """Models of a zone up to the start."""
    return fitted(2, Grid(10).step_of(START))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty registry: creating its tables takes seconds."""
    folder = tmp_path_factory.mktemp("registry")
    Registry(f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts")
    return folder / "mlflow.db"


@pytest.fixture
def here(
    empty: Path,
    models: ZoneModels,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Here:
    """An empty registry of the test's own."""
    (tmp_path / "mlflow").mkdir()
    shutil.copyfile(empty, tmp_path / "mlflow" / "mlflow.db")
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("TETOUAN_MLFLOW_URI", raising=False)
    topic = Topic()
    monkeypatch.setattr(promoting, "announce", topic.announce)
    monkeypatch.setattr(promoting, "last_reading", lambda *_: topic.newest)
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}", tmp_path / "mlflow" / "artifacts")
    monkeypatch.setattr(models_module, "Registry", lambda *_: registry)  # to open it again takes a second
    return Here(registry, models, topic, tmp_path, monkeypatch, capsys)


def both(here: Here, rmse_kw: float = 500.0, data: str = "a") -> None:
    """Let a training promote both models of the zone."""
    for name in (WEATHER, DEMAND):
        here.registry.promote(here.register(name, rmse_kw, data))


def test_all_versions_are_listed_with_what_tells_them_apart(here: Here) -> None:
    """The newest first, whole in a pipe; the JSON has the same."""
    both(here)
    here.registry.challenge(here.register(DEMAND, 510.5))
    here.register(DEMAND, None)
    code, out, _ = here.run("list")
    assert code == 0
    rows = [line.split() for line in out.splitlines() if "-demand-" in line]
    assert [(row[2], row[3]) for row in rows] == [(DEMAND, "3"), (DEMAND, "2"), (DEMAND, "1"), (WEATHER, "1")]
    assert rows[1][:8] == ["tetouan", "2", DEMAND, "2", "challenger", "2018-02-28", "23:50", "a"]
    assert ("510" in rows[1], "-" in rows[0]) == (True, True)
    told = json.loads(here.run("list", "--json")[1])["models"]
    assert [each["aliases"] for each in told] == [[], ["challenger"], ["champion"], ["champion"]]
    assert (told[1]["rmse_kw"], told[1]["as_of"]) == (510.5, AS_OF.isoformat())
    assert datetime.fromisoformat(told[1]["registered"]).tzinfo == UTC


def test_two_versions_are_compared_side_by_side(here: Here) -> None:
    """What is equal is one line; a version may be a number or an alias, and belong to the model of the first."""
    both(here)
    here.registry.challenge(here.register(DEMAND, 510.5, "b"))
    code, out, _ = here.run("compare", f"{DEMAND}/champion", "challenger")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["parameters", "data", "a", "b"] in rows
    assert ["metrics", "rmse_kw/mean", "500", "510.5", "+10.5"] in rows
    assert ["tags", "data_sha256", "a", "b"] in rows
    assert "equal: 3 parameters, 0 metrics, 3 tags" in out
    told = json.loads(here.run("compare", f"{DEMAND}/1", f"{DEMAND}/2", "--json")[1])
    assert told["differing"] == {
        "parameters": {"data": ["a", "b"]},
        "metrics": {"rmse_kw/mean": [500.0, 510.5]},
        "tags": {"data_sha256": ["a", "b"]},
    }
    assert told["equal"]["parameters"]["trees"] == "3"
    assert (told["a"]["version"], told["b"]["version"]) == ("1", "2")


def test_a_card_is_printed_or_written(here: Here) -> None:
    """It is that of the version which was named, by a number or an alias."""
    both(here)
    code, out, _ = here.run("card", f"{DEMAND}/1")
    assert (code, out.splitlines()[0]) == (0, f"# Model card: {DEMAND}/1")
    assert "RMSE kW" in out
    file = here.folder / "card.md"
    assert here.run("card", f"{DEMAND}/1", "--md", str(file))[:2] == (0, "")
    assert file.read_text(encoding="utf-8") == out


def test_a_better_version_is_promoted_and_told(here: Here) -> None:
    """The champion is the previous one from then on; the event holds after the newest reading."""
    both(here)
    here.registry.challenge(here.register(DEMAND, 450.0))
    here.topic.newest = START + timedelta(days=3)
    code, out, _ = here.run("promote", DEMAND, "challenger")
    assert code == 0
    why = f"RMSE 450 kW against 500 kW of {DEMAND}/1 on the same readings: better"
    assert f"{DEMAND}/2 as its champion: {why}\nit runs beside {WEATHER}/1" in out
    assert here.registry.aliases("")[DEMAND] == {"champion": "2", "previous": "1"}
    partner, event = here.topic.events
    assert (partner.model, partner.change, partner.reason) == (WEATHER, "promoted", "it is the champion, and stays")
    assert (event.change, event.version, event.reason) == ("promoted", "2", why)
    assert (event.zone, event.origin) == (2, START + timedelta(days=3) + STEP)
    assert event.evidence == {"rmse_kw/mean": 450.0}


@pytest.mark.parametrize(
    ("rmse_kw", "data", "why"),
    [
        (500.0, "a", "is not better, RMSE 500 kW against 500 kW"),
        (450.0, "b", "were scored on other data: `tetouan train --until 2018-02-28T23:51` on these data scores"),
        (None, "a", f"{DEMAND}/2 was registered without a score, as a demo does: `tetouan train --until"),
    ],
)
def test_a_version_that_is_not_better_needs_a_reason(here: Here, rmse_kw: float | None, data: str, why: str) -> None:
    """Nothing changes without one; with one it is kept with the version and told."""
    both(here)
    here.register(DEMAND, rmse_kw, data)
    code, _, said = here.run("promote", DEMAND, "2")
    assert code == 2
    assert why in said
    assert "to promote it all the same, give --force --reason TEXT" in said
    assert here.champions(DEMAND) == ["1"]
    assert here.run("promote", DEMAND, "2", "--force", "--reason", "the meter was replaced")[0] == 0
    champion = here.registry.champion(DEMAND)
    assert champion is not None
    assert (champion.version, champion.tags[REASON]) == ("2", "the meter was replaced")
    assert here.topic.events[-1].reason == "the meter was replaced"


def test_scores_on_other_readings_are_not_compared(here: Here) -> None:
    """The line says which command scores both on the same."""
    both(here)
    here.register(DEMAND, 450.0, as_of=AS_OF + timedelta(days=1))
    code, _, said = here.run("promote", DEMAND, "2")
    assert code == 2
    assert "they were not scored on the same readings" in said
    assert "`tetouan train --until 2018-03-01T23:51`" in said
    assert here.champions(DEMAND) == ["1"]


def test_a_rollback_brings_back_what_was_before_and_no_more(here: Here) -> None:
    """To say it twice, as one does at three in the morning, changes nothing: the version that was left stays left."""
    both(here)
    here.registry.promote(here.register(DEMAND, 450.0, "b"))
    code, out, _ = here.run("rollback", DEMAND, "--reason", "it forecasts nonsense")
    assert (code, out) == (0, f"{DEMAND}/1: champion again, it forecasts nonsense\n")
    assert here.registry.aliases("")[DEMAND] == {"champion": "1"}
    assert here.topic.changes == [("promoted", WEATHER, "1"), ("rolled_back", DEMAND, "1")]
    assert here.topic.events[-1].reason == "it forecasts nonsense"
    code, _, said = here.run("rollback", DEMAND)
    assert code == 2
    assert f"no version before {DEMAND}/1 is known" in said
    assert here.champions(DEMAND, WEATHER) == ["1", "1"]
    assert len(here.topic.events) == 2


@pytest.mark.parametrize("name", [DEMAND, WEATHER])
def test_models_of_one_training_go_back_together(here: Here, name: str) -> None:
    """So a zone runs again what ran together; whichever of the two is named, the demand model is told last."""
    both(here)
    both(here, 450.0, "b")
    assert here.run("rollback", name)[0] == 0
    assert here.champions(DEMAND, WEATHER) == ["1", "1"]
    assert here.topic.changes == [("rolled_back", WEATHER, "1"), ("rolled_back", DEMAND, "1")]
    assert here.topic.events[0].reason == f"rolled back by hand from {name}/2"


def test_a_model_of_another_training_stays(here: Here) -> None:
    """It ran beside both."""
    both(here)
    here.registry.promote(here.register(WEATHER, 450.0, "b"))
    here.registry.promote(here.register(DEMAND, 450.0, "c"))
    assert here.run("rollback", DEMAND)[0] == 0
    assert here.champions(DEMAND, WEATHER) == ["1", "2"]


CHANGES = [(("promote", DEMAND, "challenger"), "2"), (("rollback", DEMAND, "--reason", "it's bad"), "1")]


def changeable(here: Here, words: tuple[str, ...]) -> None:
    """Have a version that can be promoted, or rolled back from."""
    both(here)
    newer = here.register(DEMAND, 450.0, "a" if words[0] == "promote" else "b")
    if words[0] == "promote":
        here.registry.challenge(newer)
    else:
        here.registry.promote(newer)


@pytest.mark.parametrize(("words", "wanted"), CHANGES)
def test_nothing_changes_without_a_broker(here: Here, words: tuple[str, ...], wanted: str) -> None:
    """The same words do it once there is one."""
    changeable(here, words)
    before = here.registry.aliases("")
    here.topic.fault, here.topic.reads = "no broker answers", False
    code, _, said = here.run(*words)
    assert code == 2
    assert "nothing has changed, since running forecasters could not be told (no broker answers): run this" in said
    assert here.registry.aliases("") == before
    here.topic.fault = None
    assert here.run(*words)[0] == 0
    assert here.champions(DEMAND) == [wanted]


def test_the_age_of_a_version_is_not_left_unchecked(here: Here) -> None:
    """Where no broker tells of the newest reading nothing changes either."""
    both(here)
    here.register(DEMAND, 450.0)

    def no_broker(*_: object) -> None:
        raise Refused("no broker answers")

    here.monkeypatch.setattr(promoting, "last_reading", no_broker)
    code, _, said = here.run("promote", DEMAND, "2")
    assert code == 2
    assert "nothing has changed, since running forecasters could not be told (no broker answers)" in said
    assert here.champions(DEMAND) == ["1"]


@pytest.mark.parametrize(("words", "wanted"), CHANGES)
def test_what_could_not_be_told_is_told_by_the_command_that_is_printed(
    here: Here, words: tuple[str, ...], wanted: str
) -> None:
    """The broker is lost after the registry has the change; the command names the version by its number."""
    changeable(here, words)
    here.topic.fault = "no broker answers"
    code, _, said = here.run(*words)
    assert code == 2
    assert "running forecasters are not told of it (no broker answers): once the brokers answer run" in said
    assert here.champions(DEMAND) == [wanted]
    here.topic.fault = None
    again = shlex.split(said.partition("answer run `tetouan models ")[2].rpartition("`")[0])
    assert again[:3] == ["promote", DEMAND, wanted]
    assert here.run(*again)[0] == 0
    assert here.champions(DEMAND) == [wanted]
    assert here.topic.changes[-1] == ("promoted", DEMAND, wanted)


def test_the_champion_of_another_command_at_once_is_told_last(here: Here) -> None:
    """Forecasters run what the registry has, whichever of the two tells first."""
    both(here)
    here.register(DEMAND, 450.0)
    third = here.register(DEMAND, 400.0)
    here.topic.meanwhile = lambda: here.registry.promote(third)
    assert here.run("promote", DEMAND, "2")[0] == 0
    assert here.champions(DEMAND) == ["3"]
    assert [version for _, model, version in here.topic.changes if model == DEMAND] == ["2", "3"]


def test_a_rollback_to_where_one_is_sends_no_rolled_back(here: Here) -> None:
    """Forecasters that do not know the champion are told of it as what it is."""
    both(here)
    assert here.run("rollback", DEMAND)[0] == 0
    assert here.topic.changes == [("promoted", WEATHER, "1"), ("promoted", DEMAND, "1")]


def test_a_partner_without_a_champion_stays_without(here: Here) -> None:
    """Somebody has removed its alias by hand."""
    both(here)
    both(here, 450.0, "b")
    here.registry._client.delete_registered_model_alias(WEATHER, "champion")  # noqa: SLF001 - as a hand on the page
    assert here.run("rollback", DEMAND)[0] == 0
    assert here.champions(DEMAND, WEATHER) == ["1", None]


def test_a_score_that_is_no_number_is_none(here: Here) -> None:
    """It is not better, and what is forced is told without it."""
    both(here)
    here.register(DEMAND, math.nan)
    code, _, said = here.run("promote", DEMAND, "2")
    assert code == 2
    assert f"{DEMAND}/2 was registered without a score" in said
    assert here.run("promote", DEMAND, "2", "--force", "--reason", "why not")[0] == 0
    assert here.topic.events[-1].evidence == {}
    assert json.loads(here.run("list", "--json")[1])["models"][0]["rmse_kw"] is None


def test_versions_that_do_not_say_what_they_were_scored_on_are_not_compared() -> None:
    """What neither of them has is not the same."""
    one, other = (ModelVersion(DEMAND, version, {}, {CRITERION[DEMAND]: 1.0 / int(version)}) for version in "12")
    with pytest.raises(NotBetterError, match="were scored on other data"):
        why_better(other, one)
    tags = dict.fromkeys(COMPARABLE, "a")
    with pytest.raises(NotBetterError, match="were not scored on the same readings"):
        why_better(replace(other, tags=tags), replace(one, tags=tags))


@pytest.mark.parametrize("name", ["zone-demand-tetouan-02", "zone-demand-tetouan-0", "zone-demand-tetouan-٢"])
def test_a_name_that_is_not_written_so_is_no_model_of_a_zone(name: str) -> None:
    """Forecasters would look for it under another name."""
    assert named_model(name) is None


def test_a_zone_that_nobody_forecasts_is_refused(here: Here) -> None:
    """The table of the site says which are."""
    (nine := here.folder / "nine").mkdir()
    (nine / FILE).touch()
    here.registry.register(
        "zone-demand-tetouan-9",
        nine,
        params={},
        metrics={},
        tags={},
        signature=Signature({"step": "long"}, {"demand_kw": "double"}),
        run_name="nine",
    )
    code, _, said = here.run("promote", "zone-demand-tetouan-9", "1", "--force", "--reason", "why not")
    assert code == 2
    assert "nobody forecasts zone 9 of tetouan: its table has 2" in said


def test_a_reason_in_brackets_is_no_markup(here: Here) -> None:
    """Tables show what was written."""
    both(here)
    here.register(DEMAND, 450.0)
    assert here.run("promote", DEMAND, "2", "--force", "--reason", "see [/ops]")[0] == 0
    code, out, _ = here.run("compare", f"{DEMAND}/1", f"{DEMAND}/2")
    assert code == 0
    assert "see [/ops]" in out
    assert here.run("list")[0] == 0


def test_a_rollback_that_was_killed_ends_as_it_would_have(here: Here) -> None:
    """One model of the pair had gone back, and nobody was told: said again, the other goes back too."""
    both(here)
    both(here, 450.0, "b")
    here.registry.roll_back(here.registry.get(WEATHER, "1"), "killed after this")
    assert here.run("rollback", DEMAND)[0] == 0
    assert here.champions(DEMAND, WEATHER) == ["1", "1"]
    assert {(model, version) for _, model, version in here.topic.changes} == {(DEMAND, "1"), (WEATHER, "1")}


@pytest.mark.parametrize("words", [("promote", DEMAND, "2", "--force", "--reason", "why not"), ("rollback", DEMAND)])
def test_models_that_forecasters_would_refuse_as_too_old_change_nothing(here: Here, words: tuple[str, ...]) -> None:
    """Who keeps thirty days of readings cannot bring them to the present: the line names the ways out."""
    both(here)
    newer = here.register(DEMAND, 450.0)
    if words[0] == "rollback":
        here.registry.promote(newer)
    before = here.registry.aliases("")
    here.topic.newest = START + timedelta(days=31)
    code, _, said = here.run(*words)
    assert code == 2
    assert "end at 2018-02-28 23:50, more than 30 days before the newest reading, 2018-04-01 00:00" in said
    assert "TETOUAN_MAX_GAP_DAYS" in said
    assert (here.registry.aliases(""), here.topic.events) == (before, [])


def pickled_array(file: Path) -> None:
    """Put an array of Python objects in."""
    rewritten(file, **{"history.series": np.array([{"kw": 1.0}], dtype=object)})


def pickled_file(file: Path) -> None:
    """Put a pickle in the place of the archive."""
    file.write_bytes(pickle.dumps({"kw": 1.0}))


def unknown_kind(file: Path) -> None:
    """Let it be the state of something else."""
    rewritten(file, header=header(file, format="oracle"))


def wrong_shape(file: Path) -> None:
    """Give an array another shape."""
    rewritten(file, **{"regression.beta": np.zeros((2, 2))})


def other_features(file: Path) -> None:
    """Let the trees look at fewer fields of the weather than they have grown on."""
    with np.load(file, allow_pickle=False) as stored:
        parameters: dict[str, Any] = json.loads(stored["header"].tobytes())["parameters"]
    rewritten(file, header=header(file, parameters={**parameters, "fields": parameters["fields"][:4]}))


def ten_gigabytes(file: Path) -> None:
    """Declare an array that nobody has room for."""
    member = BytesIO()
    npy.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (10 * 2**30 // 8,)})
    replaced(file, "history.series.npy", member.getvalue())


def unpacks_to_ten_gigabytes(file: Path) -> None:
    """Let the directory of the archive tell of ten gigabytes, as that of a packed run of zeros does."""
    with ZipFile(file, "w", ZIP_STORED) as archive:
        archive.writestr("zeros.npy", b"")
        archive.infolist()[0].file_size = 10 * 2**30


def unparsable(written: str) -> Callable[[Path], None]:
    """Return what gives an array a header that breaks the parser of numpy."""
    return lambda file: replaced(file, "history.series.npy", array_with(written))


def damaged_lzma(file: Path) -> None:
    """Pack the arrays by LZMA, and damage one."""
    replaced(file, "history.series.npy", bytes(2**16), ZIP_LZMA)
    content = bytearray(file.read_bytes())
    content[60:90] = bytes(30)
    file.write_bytes(content)


def no_calendar_has_it(file: Path) -> None:
    """Let the state end at a step whose time no calendar has."""
    rewritten(file, **{"outlook.last_step": np.array(2**62)})


HOSTILE = [
    (DEMAND, pickled_array, "history.series.npy holds Python objects: nothing is unpickled"),
    (DEMAND, pickled_file, "File is not a zip file"),
    (DEMAND, unknown_kind, "header is that of a 'oracle', not of a zone-demand state"),
    (DEMAND, wrong_shape, "regression.beta is float64"),
    (WEATHER, other_features, "seen is float64"),
    (DEMAND, ten_gigabytes, "history.series.npy declares 10,737,418,240 bytes and holds 0"),
    (DEMAND, unpacks_to_ten_gigabytes, "it declares 10,737,418,240 bytes, where 268,435,456 are the most"),
    (DEMAND, unparsable("((("), "is no whole zone-demand state"),
    (DEMAND, unparsable("{[]: 1}"), "is no whole zone-demand state"),
    (DEMAND, unparsable("-" * 9000 + "1"), "is no whole zone-demand state"),
    (DEMAND, damaged_lzma, "neither stored nor deflated"),
    (DEMAND, no_calendar_has_it, "is no zone-demand state for this program"),
]


@pytest.mark.parametrize(("name", "spoil", "why"), HOSTILE)
def test_files_that_are_no_model_are_refused_before_anything_changes(
    here: Here, name: str, spoil: Callable[[Path], None], why: str
) -> None:
    """With a reason that names what is wrong, whatever is forced."""
    both(here)
    here.register(name, spoil=spoil)
    before = here.registry.aliases("")
    code, _, said = here.run("promote", name, "2", "--force", "--reason", "why not")
    assert code == 2
    assert why in said
    assert f"{name}/2" in said
    assert (here.registry.aliases(""), here.topic.events) == (before, [])


def test_a_forecaster_that_asks_for_files_that_are_no_model_is_told_why(here: Here) -> None:
    """It goes on with what it runs; the files that are whole are none the worse for those beside them."""
    both(here)
    place, pairs = site("tetouan"), {}
    for name, spoil, why in [*HOSTILE, (DEMAND, lambda _: None, "")]:
        label = here.register(name, spoil=spoil).label
        names = (label, f"{WEATHER}/1") if name == DEMAND else (f"{DEMAND}/1", label)
        pairs[Pair("tetouan", 2, ModelNames(demand=names[0], weather=names[1]))] = why
    asking = Asking(load(ForecasterSettings, state_dir=here.folder))
    try:
        found = asyncio.run(asking.models(dict.fromkeys(pairs, place)))
    finally:
        asking.stop()
    *refused, whole = found.values()
    assert [why for why, said in zip(pairs.values(), refused, strict=False) if why not in str(said)] == []
    assert isinstance(whole, ZoneModels)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("compare", "champion", "1"), "'champion' names no model: give NAME/VERSION"),
        (
            ("promote", "zone-demand-tetuan-2", "1"),
            f"no model 'zone-demand-tetuan-2' is registered: did you mean {DEMAND}?",
        ),
        (("promote", DEMAND, "7"), f"{DEMAND} has no version '7': give one of those that `tetouan models list` shows"),
        (("promote", DEMAND, "challenger"), f"{DEMAND} has no challenger"),
        (("promote", DEMAND, f"{WEATHER}/1"), f"{DEMAND} has no version '{WEATHER}/1'"),
        (("promote", DEMAND, "1", "--force"), "--force and --reason go together"),
        (("promote", DEMAND, "1", "--reason", "x"), "--force and --reason go together"),
        (("rollback", DEMAND, "--reason", " "), "give a line of text, 500 characters at most"),
        (("rollback", WEATHER), f"no version before {WEATHER}/1 is known"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_says_what_to_give(here: Here, words: tuple[str, ...], line: str) -> None:
    """And changes nothing."""
    both(here)
    here.run("promote", WEATHER, "1")
    here.run("promote", DEMAND, "1")
    code, _, said = here.run(*words)
    assert code == 2
    assert line in said.replace("│ ", "")
    assert here.champions(DEMAND, WEATHER) == ["1", "1"]


def test_a_registry_that_nobody_has_made_is_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line says what makes one."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    for words in (["models", "list"], ["models", "rollback", DEMAND], ["mlflow"]):
        monkeypatch.setattr(sys, "argv", ["tetouan", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert "there is no registry at sqlite:///" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
