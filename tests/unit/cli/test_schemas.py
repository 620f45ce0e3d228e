"""What `tetouan schemas` writes and what `--check` finds."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cli.__main__ import app
from cli.schemas import ASYNCAPI, complaints, schema_texts
from shared.contracts import topics
from shared.sites.site import Measure
from shared.sites.table import site

if TYPE_CHECKING:
    from pathlib import Path

    from shared.contracts.topics import Topic

TEXTS = schema_texts(site("tetouan"))
SCHEMAS = {name: json.loads(text) for name, text in TEXTS.items() if name != ASYNCAPI}
DOCUMENT = json.loads(TEXTS[ASYNCAPI])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all files as they should be."""
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_every_topic_has_one_schema_named_after_it() -> None:
    """One file a topic, in the order of the table, and the document that refers to them."""
    assert [name.removesuffix(".schema.json").removesuffix(".headers") for name in SCHEMAS] == [
        topic.name for topic in topics.ALL
    ]


def test_the_files_are_the_same_each_time_and_end_with_one_newline() -> None:
    """So that a difference is a difference of the contract."""
    assert schema_texts(site("tetouan")) == TEXTS
    assert all(text.endswith("}\n") for text in TEXTS.values())


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_says_what_it_means(name: str) -> None:
    """A field has a description of its own or that of the object it holds; the version needs none."""
    objects = [SCHEMAS[name], *SCHEMAS[name].get("$defs", {}).values()]
    silent = [
        field
        for described in objects
        for field, content in described["properties"].items()
        if field != "schema_version" and not content.keys() & {"description", "$ref"}
    ]
    assert not silent
    assert all(described["description"] for described in objects)


def test_the_raw_reading_has_the_columns_of_the_site() -> None:
    """Another site's meter is described by its own columns and limits, without a word of code."""
    columns = {"Load": "zone_7_kw"}
    other = site("tetouan").model_copy(
        update={"name": "chefchaouen", "time_column": "Stamp", "columns": columns, "limits": {"zone_7_kw": (0.0, 9.5)}}
    )
    schema = json.loads(schema_texts(other)["readings.raw.v1.schema.json"])
    assert list(schema["properties"]) == ["site", "Stamp", "Load"]
    assert schema["properties"]["site"]["const"] == "chefchaouen"
    assert "A value outside 0 to 9.5" in schema["properties"]["Load"]["description"]


def test_the_raw_reading_is_described_as_the_table_of_its_site_says() -> None:
    """Unit, kind and form of the time are those of the site."""
    measures = {"zone_2_kw": Measure(kind="register", unit="MW")}
    place = site("tetouan").model_copy(update={"time_format": "epoch_ms", "measures": measures})
    cells = json.loads(schema_texts(place)["readings.raw.v1.schema.json"])["properties"]
    assert "register in MWh" in cells["Zone 2  Power Consumption"]["description"]
    assert "a number counted from 1970 on (epoch_ms)" in cells["DateTime"]["description"]
    assert cells["DateTime"]["type"] == ["string", "number"]


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_a_channel_says_how_its_topic_is_made(topic: Topic) -> None:
    """Partitions, retention and the largest record are those of the table of topics."""
    kafka = DOCUMENT["channels"][topic.name]["bindings"]["kafka"]
    kept_ms = kafka["topicConfiguration"]["retention.ms"]
    assert kafka["partitions"] == topics.PARTITIONS
    assert (None if kept_ms == -1 else timedelta(milliseconds=kept_ms)) == topic.kept
    assert kafka["topicConfiguration"]["max.message.bytes"] > topics.MAX_RECORD_BYTES


def test_the_system_takes_raw_readings_and_sends_all_else() -> None:
    """The operations are told from the side of the forecaster."""
    actions = {name: operation["action"] for name, operation in DOCUMENT["operations"].items()}
    assert actions == {topic.name: "receive" if topic == topics.RAW else "send" for topic in topics.ALL}


def test_every_message_is_keyed_by_its_site() -> None:
    """The key decides what keeps its order."""
    messages = DOCUMENT["components"]["messages"].values()
    assert {message["bindings"]["kafka"]["key"]["description"] for message in messages} == {"Name of the site."}


def test_files_as_the_code_has_them_are_no_matter_of_complaint(folder: Path) -> None:
    """Nothing differs."""
    assert complaints(folder, TEXTS) == []


@pytest.mark.parametrize(("spoil", "fault"), [("change", "differs from the code"), ("remove", "is missing")])
def test_a_file_that_differs_or_lacks_is_named(folder: Path, spoil: str, fault: str) -> None:
    """The line names the file and the command that puts it right."""
    file = folder / "scores.v1.schema.json"
    if spoil == "change":
        file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    else:
        file.unlink()
    assert complaints(folder, TEXTS) == [f"{file} {fault}: run `tetouan schemas --out {folder}`"]


def test_a_schema_of_no_message_is_named(folder: Path) -> None:
    """What stays of a topic that is gone would mislead."""
    (folder / "gone.v1.schema.json").write_text("{}", encoding="utf-8")
    (line,) = complaints(folder, TEXTS)
    assert "gone.v1.schema.json describes no message: delete it" in line


def run(*arguments: str) -> Any:
    """Run the subcommand."""
    return CliRunner().invoke(app, ["schemas", *arguments])


def test_the_command_writes_what_its_check_accepts(tmp_path: Path) -> None:
    """Writing makes the folder and names the files; checking then exits 0 and says that all match."""
    out = tmp_path / "docs" / "schemas"
    written = run("--out", str(out))
    assert written.exit_code == 0
    assert written.stdout.splitlines() == [f"wrote {out / name}" for name in TEXTS]
    checked = run("--out", str(out), "--check")
    assert (checked.exit_code, checked.output) == (0, f"all {len(TEXTS)} files in {out} are as the code says\n")


def test_the_check_exits_1_and_writes_nothing(tmp_path: Path) -> None:
    """An empty folder lacks every file, and is as empty afterwards."""
    checked = run("--out", str(tmp_path), "--check")
    assert checked.exit_code == 1
    assert all(name in checked.stderr for name in TEXTS)
    assert list(tmp_path.iterdir()) == []
