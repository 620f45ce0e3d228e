"""The published schemas: as the code has them, true of every golden message, and an AsyncAPI document that holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from cli.schemas import ASYNCAPI, complaints, schema_texts
from shared.contracts import topics
from shared.sites.table import site
from tests.contract.test_messages import GOLDEN, with_one_more_field

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLISHED = Path(__file__).parents[2] / "docs" / "schemas"
HEADERS = "readings.rejected.v1.headers.schema.json"
ALL = sorted(GOLDEN.glob("*.json"))
BODIES = [path for path in ALL if not path.stem.startswith("readings.rejected")]
# AsyncAPI reads a schema as draft 7, other tools as what it says it is
DIALECTS = pytest.mark.parametrize("dialect", [Draft202012Validator, Draft7Validator])


def published(name: str) -> Any:
    """Return a published file."""
    return json.loads((PUBLISHED / name).read_text(encoding="utf-8"))


def schema_of(golden: Path) -> Any:
    """Return the published schema of a golden message, named after its topic."""
    topic = f"{golden.stem.split('-')[0]}.v1"
    return published(HEADERS if topic == topics.REJECTED.name else f"{topic}.schema.json")


def test_the_published_schemas_are_those_of_the_code() -> None:
    """A changed message or topic changes docs/schemas with it: run `tetouan schemas`."""
    assert complaints(PUBLISHED, schema_texts(site("tetouan"))) == []


@DIALECTS
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_golden_message_is_what_its_schema_says(path: Path, dialect: Any) -> None:
    """What the services send passes the published schema."""
    schema = schema_of(path)
    dialect.check_schema(schema)
    assert list(dialect(schema).iter_errors(json.loads(path.read_bytes()))) == []


@DIALECTS
@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.stem)
def test_an_unknown_field_passes_the_schema(path: Path, dialect: Any) -> None:
    """Who checks what comes by the schema takes what a later release adds, nested or not."""
    for message in with_one_more_field(json.loads(path.read_bytes())):
        assert dialect(schema_of(path)).is_valid(message)


@DIALECTS
@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_message_lacks_no_field_that_its_schema_requires(path: Path, dialect: Any) -> None:
    """Every field that a service sends is required, but for cells of a meter."""
    message, validator = json.loads(path.read_bytes()), dialect(schema_of(path))
    required = {"site", "DateTime"} if path.stem == "readings.raw" else set(message)
    for field in message:
        rest = {name: value for name, value in message.items() if name != field}
        assert validator.is_valid(rest) == (field not in required), field


@pytest.mark.parametrize(("header", "text"), [("offset", "-1"), ("partition", "x"), ("reason", "Not JSON")])
def test_a_header_is_text_of_the_form_that_its_schema_says(header: str, text: str) -> None:
    """Numbers are digits, a reason is one word."""
    headers = json.loads((GOLDEN / "readings.rejected.json").read_bytes())
    assert not Draft202012Validator(published(HEADERS)).is_valid({**headers, header: text})


def test_a_dead_letter_may_have_other_headers() -> None:
    """Headers that others add on the way, say for tracing, are none of ours."""
    headers = json.loads((GOLDEN / "readings.rejected.json").read_bytes())
    assert Draft202012Validator(published(HEADERS)).is_valid({"traceparent": "00-1-2-01", **headers})


def references(node: Any) -> Iterator[str]:
    """Yield every reference in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(reference: str, inside: str) -> Any:
    """Return what a reference in a published file refers to; raises where there is nothing."""
    file, _, pointer = reference.partition("#")
    node = published(file or inside)
    for part in pointer.split("/")[1:]:
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


@pytest.mark.parametrize("name", sorted(path.name for path in PUBLISHED.glob("*.json")))
def test_every_reference_leads_somewhere(name: str) -> None:
    """No file refers to what is not published with it."""
    for reference in references(published(name)):
        assert isinstance(resolved(reference, name), dict), reference


def test_the_asyncapi_document_has_what_the_specification_requires() -> None:
    """The required members of AsyncAPI 3.0; an operation's messages are those of its channel."""
    document = published(ASYNCAPI)
    assert document["asyncapi"] == "3.0.0"
    assert document["info"].keys() >= {"title", "version"}
    assert all(server.keys() >= {"host", "protocol"} for server in document["servers"].values())
    assert document["channels"].keys() == {topic.name for topic in topics.ALL}
    for name, operation in document["operations"].items():
        channel = resolved(operation["channel"]["$ref"], ASYNCAPI)
        assert operation["action"] in {"send", "receive"}
        assert channel["address"] == name
        sent = [resolved(message["$ref"], ASYNCAPI) for message in operation["messages"]]
        assert sent == list(channel["messages"].values())


def test_the_examples_are_golden_messages() -> None:
    """What the document shows is what the services send: the payload, and of a dead letter the headers."""
    for name, channel in published(ASYNCAPI)["channels"].items():
        ((_, message),) = channel["messages"].items()
        (example,) = resolved(message["$ref"], ASYNCAPI)["examples"]
        golden = json.loads((GOLDEN / f"{name.removesuffix('.v1')}.json").read_bytes())
        assert example["headers" if name == topics.REJECTED.name else "payload"] == golden


def test_the_example_of_a_dead_letter_is_what_its_headers_refuse() -> None:
    """The payload is the original, and the field at fault holds the value that the headers tell."""
    (example,) = published(ASYNCAPI)["components"]["messages"]["DeadLetter"]["examples"]
    headers = example["headers"]
    assert json.loads(example["payload"])[headers["field"]] == headers["value"]
