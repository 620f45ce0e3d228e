"""The OpenAPI document: each parameter, request and answer has an example, which is one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from jsonschema import Draft202012Validator

from tests.unit.gateway.api.filled import begun

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.gateway.api.filled import Asked

Json = dict[str, Any]


@pytest.fixture(name="document", scope="module")
def _document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The document of a gateway."""
    folder: Path = tmp_path_factory.mktemp("document")
    asked = begun(folder)
    try:
        document: Json = asked.gateway.get("/openapi.json").json()
    finally:
        asked.database.close()
    return document


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    """Yield path, method and description of each operation."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def media_of(operation: Json) -> Iterator[tuple[str, Json]]:
    """Yield each body that an operation takes or answers with, and where it stands."""
    bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
    for name, body in bodies.items():
        for kind, media in body.get("content", {}).items():
            yield f"{name} {kind}", media


def complaints(document: Json, schema: Json, example: object) -> list[str]:
    """Return what is wrong with an example by its schema."""
    whole = {**schema, "components": document["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(example)]


def test_each_body_has_an_example_that_is_one(document: Json) -> None:
    """Of each request, answer and problem, by its own schema."""
    found = 0
    for path, method, operation in operations(document):
        for where, media in media_of(operation):
            assert "example" in media, f"{method} {path} {where} has no example"
            assert complaints(document, media["schema"], media["example"]) == [], f"{method} {path} {where}"
            found += 1
    assert found


def test_each_parameter_says_what_it_is_with_an_example(document: Json) -> None:
    """One sentence, and a value that its own schema takes."""
    found = 0
    for path, method, operation in operations(document):
        for parameter in operation.get("parameters", []):
            where = f"{method} {path} {parameter['name']}"
            assert parameter["description"].endswith("."), where
            examples = parameter["schema"]["examples"]
            assert [wrong for each in examples for wrong in complaints(document, parameter["schema"], each)] == [], (
                where
            )
            found += 1
    assert found


def test_the_examples_of_parameters_are_answered_as_the_examples_say(filled: Asked, document: Json) -> None:
    """A gateway that has seen two days answers each path, and its CSV has the heading of the example."""
    for path, method, operation in operations(document):
        if method != "get":
            continue
        given = {each["name"]: each["schema"]["examples"][0] for each in operation.get("parameters", [])}
        asked = path.format(**{name: quote(str(value), safe="") for name, value in given.items()})
        assert filled.gateway.get(asked).status_code == 200, path
        heading = filled.gateway.get(f"{asked}?format=csv").text.splitlines()[0]
        example = operation["responses"]["200"]["content"]["text/csv"]["example"].splitlines()[0]
        fixed = heading.split(",rmse_kw")[0]  # behind it stand the metrics of a model, which are its own
        assert example.startswith(fixed), path
        assert "\n" not in json.dumps(operation["summary"])
