"""The contract for subscribers: a JSON Schema of each message, and an AsyncAPI document of the topics.

Both are generated from the models of the messages and the table of topics. FastStream's own AsyncAPI is not used: our
handlers take batches of bytes, so that it would contain no message, no header, no retention and no topic that is sent.
"""

from __future__ import annotations

import json
from datetime import timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from shared.contracts import topics
from shared.contracts.messages import (
    CleanReading,
    DeadLetter,
    DriftEvent,
    Forecast,
    ModelEvent,
    Scores,
)
from shared.data.times import forms_of
from shared.runtime.concerns import KafkaSettings
from shared.sites.site import EPOCHS, POWER_KW

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core.core_schema import ModelSchema

    from shared.contracts.messages import Message
    from shared.contracts.topics import Topic
    from shared.sites.site import Site

__all__ = ["ASYNCAPI", "complaints", "schema_texts"]

ASYNCAPI = "asyncapi.json"
BODIES: Mapping[Topic, type[Message]] = {
    topics.CLEAN: CleanReading,
    topics.FORECASTS: Forecast,
    topics.SCORES: Scores,
    topics.DRIFT: DriftEvent,
    topics.MODELS: ModelEvent,
}
INFO = {
    "title": "Tetouan streaming forecaster",
    "version": "2.0.0",  # of the messages; its first number is their highest schema_version
    "description": (
        "Readings of electricity meters in, the demand of the next 24 hours out. Every record is keyed, so that the "
        "messages of a site keep their order. Delivery is at least once: (site, zone, origin) identifies a forecast, "
        "and one that is sent again has the same bytes. Times are event times in UTC. Ignore fields that you do not "
        "know: a later version may add some. An installation may put a prefix before the names of its topics."
    ),
    "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
}
KEY = {"type": "string", "description": "Name of the site."}

Json = dict[str, Any]


def schema_texts(site: Site) -> dict[str, str]:
    """Return each file by its name: the schemas, one a topic, and the AsyncAPI document that refers to them.

    Parameters
    ----------
    site : Site
        The site whose raw readings are described; all other messages are the same for every site.
    """
    schemas = _schemas(site)
    contents = {_file(topic): _head_first(schema) for topic, schema in schemas.items()} | {ASYNCAPI: _asyncapi(schemas)}
    return {name: _text(content) for name, content in contents.items()}


def complaints(folder: Path, texts: Mapping[str, str]) -> list[str]:
    """Return a line for each file that is missing, differs from the code or belongs to no message, and what to do."""
    found = {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))}
    wrong = [name for name, text in texts.items() if found.get(name) != text]
    mend = f"run `tetouan schemas --out {folder}`"
    return [
        *(f"{folder / name} {'differs from the code' if name in found else 'is missing'}: {mend}" for name in wrong),
        *(f"{folder / name} describes no message: delete it" for name in found if name not in texts),
    ]


class _WireSchema(GenerateJsonSchema):
    """Schemas for readers: fields have no titles, which repeat their names, and unknown fields are allowed."""

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic names it
        return False

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        json_schema = super().model_schema(schema)
        json_schema.pop("additionalProperties", None)
        return json_schema


def _text(content: Json) -> str:
    """Return the text of the file; double backticks of docstrings become single ones, as in Markdown."""
    return json.dumps(content, indent=2, ensure_ascii=False).replace("``", "`") + "\n"


def _head_first(schema: Json) -> Json:
    """Return the schema with its kind, title and description first."""
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": schema["title"],
        "description": schema["description"],
        **schema,
    }


def _file(topic: Topic) -> str:
    part = ".headers" if topic == topics.REJECTED else ""
    return f"{topic.name}{part}.schema.json"


def _schemas(site: Site) -> dict[Topic, Json]:
    described = {topic: _wire_schema(model) for topic, model in BODIES.items()}
    described |= {topics.RAW: _raw_reading(site), topics.REJECTED: _dead_letter_headers()}
    return {topic: described[topic] for topic in topics.ALL}


def _wire_schema(model: type[Message]) -> Json:
    return model.model_json_schema(mode="serialization", schema_generator=_WireSchema)


def _raw_reading(site: Site) -> Json:
    cells = {
        column: {
            "type": ["string", "number", "null"],
            "description": f"Becomes ``{field}`` of the clean reading: {_held(site, field)}.{_limits(site, field)}",
        }
        for column, field in site.columns.items()
    }
    return {
        "title": "RawReading",
        "description": (
            "What a meter sent: one row under its published column names. The ingestor takes any text. Text that is "
            f"no such object becomes a dead letter on ``{topics.REJECTED.name}``. A cell that is absent or holds no "
            "number becomes null with a flag."
        ),
        "type": "object",
        "properties": {
            "site": {"const": site.name, "description": "Name of the site, also the key of the record."},
            **{name: {"type": "string", "description": "The date."} for name in site.time_columns[:-1]},
            site.time_column: {
                "type": ["string", "number"] if site.time_format in EPOCHS else "string",
                "description": (
                    f"Time of the reading, on the grid of {site.step_minutes} minutes: {forms_of(site)}. Without an "
                    f"offset it is local time of {site.time_zone}."
                ),
            },
            **cells,
        },
        "required": ["site", *site.time_columns],
    }


def _held(site: Site, field: str) -> str:
    """Return what the column of a field holds."""
    measure = site.measure(field)
    if measure == POWER_KW:
        return "a number, or its text"
    unit = measure.unit if measure.kind == "power" else measure.unit.removesuffix("h") + "h"
    return f"{measure.kind} in {unit}, a number or its text"


def _limits(site: Site, field: str) -> str:
    if field not in site.limits:
        return ""
    low, high = site.limits[field]
    return f" A value outside {low:g} to {high:g} is an outlier."


def _dead_letter_headers() -> Json:
    """Return the schema of the headers: each is text, and other headers may be present."""
    schema = _wire_schema(DeadLetter)
    headers = {name: _header(content) for name, content in schema["properties"].items()}
    return schema | {"properties": headers, "required": list(headers)}


def _header(content: Json) -> Json:
    """Return the schema of a header as text; null is written as empty text."""
    kept: Json = {name: content[name] for name in ("description", "format", "pattern") if name in content}
    number = content.get("type") == "integer"
    return {"type": "string", **kept, **({"pattern": "^[0-9]+$"} if number else {})}


def _asyncapi(schemas: Mapping[Topic, Json]) -> Json:
    names = {topic: schema["title"] for topic, schema in schemas.items()}
    examples = json.loads(files(__package__).joinpath("examples.json").read_text(encoding="utf-8"))
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": "application/json",
        "servers": {
            "local": {
                "host": KafkaSettings.model_fields["kafka_bootstrap"].default,
                "protocol": "kafka",
                "description": "The broker that `docker compose up` opens; a demo shows its own address.",
            }
        },
        "channels": {topic.name: _channel(topic, names[topic]) for topic in schemas},
        "operations": {topic.name: _operation(topic, names[topic]) for topic in schemas},
        "components": {
            "messages": {
                names[topic]: _message(topic, schema, examples[topic.name]) for topic, schema in schemas.items()
            }
        },
    }


def _channel(topic: Topic, message: str) -> Json:
    kept_ms = -1 if topic.kept is None else topic.kept // timedelta(milliseconds=1)
    kept = "for ever" if topic.kept is None else f"for {topic.kept.days} days"
    return {
        "address": topic.name,
        "description": f"Kept {kept}.",
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "partitions": topics.PARTITIONS,
                "topicConfiguration": {
                    "retention.ms": kept_ms,
                    "max.message.bytes": topics.MAX_RECORD_BYTES + topics.HEADROOM_BYTES,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic, message: str) -> Json:
    """Return what the system as a whole does with the topic: it takes raw readings and sends all else."""
    return {
        "action": "receive" if topic == topics.RAW else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{message}"}],
    }


def _message(topic: Topic, schema: Json, example: Json) -> Json:
    described = {"$ref": f"./{_file(topic)}"}
    what: Json = {"payload": described}
    if topic == topics.REJECTED:
        original = {"description": f"The refused record as it came, at most {topics.MAX_RECORD_BYTES} bytes of it."}
        what = {"contentType": "application/octet-stream", "headers": described, "payload": original}
    return {
        "summary": schema["description"].split("\n")[0],
        **what,
        "bindings": {"kafka": {"key": KEY, "bindingVersion": "0.5.0"}},
        "examples": [example],
    }
