"""What a client is answered, and what a browser is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import httpx
import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.gateway.http.limits import MOST_BYTES
from services.gateway.http.problems import Problem
from tests.unit.gateway.http.asked import Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Weather(BaseModel):
    """A body."""

    temperature_c: float = Field(alias="Temperature", allow_inf_nan=False)


def router() -> APIRouter:
    """Return some routes."""
    made = APIRouter(prefix="/api")

    @made.get("/sites/{site:path}/zones/{zone}")
    def zone_of(site: str, zone: int, step: Annotated[int, Query(ge=1)] = 10) -> list[object]:
        return [site, zone, step]

    @made.post("/predict")
    def predict(weather: Weather) -> float:
        return weather.temperature_c

    @made.post("/batch")
    def batch(weather: list[Weather]) -> int:
        return len(weather)

    @made.get("/bug")
    def bug() -> None:
        raise RuntimeError("secret of the inside")

    @made.get("/away")
    def away() -> None:
        raise ConnectionError("password=secret")

    return made


@pytest.fixture(scope="module")
def gateway() -> Gateway:
    """A gateway on loopback without keys."""
    return Gateway(router(), failures={ConnectionError: lambda _: Problem(503, "the database does not answer: wait")})


def problem(answer: httpx.Response, status: int) -> dict[str, object]:
    """Return the problem of an answer, which has this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, object] = answer.json()
    assert said["status"] == status
    assert said["title"]
    return said


def test_a_site_name_may_hold_anything(gateway: Gateway) -> None:
    """A percent-encoded slash, quotes and dots reach the route as they are."""
    answer = gateway.get("/api/sites/%22a%22%2F..%2Fb/zones/3")
    assert answer.json() == ['"a"/../b', 3, 10]


def test_no_path_and_no_method_say_what_there_is(gateway: Gateway) -> None:
    """404 names the list of paths, 405 the methods that the path takes, in its header too."""
    assert "/openapi.json" in str(problem(gateway.get("/nothing"), 404)["detail"])
    answer = gateway.get("/api/predict")
    assert "use POST" in str(problem(answer, 405)["detail"])
    assert answer.headers["allow"] == "POST"


def test_a_bad_parameter_is_named_with_its_value(gateway: Gateway) -> None:
    """Path and query alike."""
    said = problem(gateway.get("/api/sites/a/zones/three"), 422)
    assert (said["field"], said["value"]) == ("zone", "three")
    said = problem(gateway.get("/api/sites/a/zones/3?step=0"), 422)
    assert (said["field"], said["value"]) == ("step", "0")
    assert 'step="0": ' in str(said["detail"])


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (b"{}", "Temperature", ""),
        (b'{"Temperature": null}', "Temperature", "null"),
        (b'{"Temperature": "warm"}', "Temperature", "warm"),
        (b'{"Temperature": 1e999}', "Temperature", "Infinity"),
        (b'{"Temperature": NaN}', "Temperature", "NaN"),
        (b'{"Temperature": "\\ud800"}', "Temperature", "\\ud800"),
        (b'{"Temperature": [true, {}]}', "Temperature", "[true, {}]"),
        (b"[]", "body", "[]"),
        (b"", "body", ""),
    ],
)
def test_a_bad_body_names_the_field_and_the_value(gateway: Gateway, body: bytes, field: str, value: str) -> None:
    """Whatever is wrong with it, also where the value has no JSON or no UTF-8 of its own."""
    said = problem(gateway.post("/api/predict", body), 422)
    assert (said["field"], said["value"]) == (field, value)


def test_a_value_is_told_as_it_was_sent(gateway: Gateway) -> None:
    """Text in quotes, anything else as JSON."""
    for sent in ("null", '"warm"', "[true]", "{}"):
        said = problem(gateway.post("/api/predict", f'{{"Temperature": {sent}}}'.encode()), 422)
        assert str(said["detail"]).startswith(f"Temperature={sent}: ")


def test_a_body_that_is_no_json_is_another_matter(gateway: Gateway) -> None:
    """400 that says where it is none."""
    said = problem(gateway.post("/api/predict", b'{"Temperature"'), 400)
    assert said["field"] == "body"
    assert "at character 15" in str(said["detail"])


def test_of_a_list_the_entry_is_named(gateway: Gateway) -> None:
    """All entries that are wrong are told."""
    said = problem(gateway.post("/api/batch", b'[{"Temperature": 1}, {}, {"Temperature": "x"}]'), 422)
    assert [fault["field"] for fault in said["errors"]] == ["[1].Temperature", "[2].Temperature"]  # type: ignore[attr-defined]  # JSON


def test_a_long_value_is_cut(gateway: Gateway) -> None:
    """What is quoted is short."""
    said = problem(gateway.get("/api/sites/a/zones/" + "9" * 10_000 + "x"), 422)
    assert len(str(said["value"])) == 200


def test_a_value_that_is_nested_too_deep_is_not_quoted() -> None:
    """What could be read from deeper down than it can be written is refused nevertheless."""
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    assert Problem.of(422, "body", value, "send less").detail == "body=…: send less"


def test_only_json_is_taken(gateway: Gateway) -> None:
    """415 names what came instead, and how to send it."""
    said = problem(gateway.post("/api/predict", b"Temperature=1", "application/x-www-form-urlencoded"), 415)
    assert said["field"] == "Content-Type"
    assert "application/json" in str(said["detail"])
    assert gateway.post("/api/predict", b'{"Temperature": 1}', "application/json; charset=utf-8").json() == 1
    assert gateway.metric("tetouan_http_refusals_total", door="type") == 1


def test_a_long_body_is_not_read() -> None:
    """With a length that says so nothing of it is needed; the answer closes the connection."""
    gateway = Gateway(router())
    answer = gateway.post("/api/predict", b" " * (MOST_BYTES + 1))
    assert problem(answer, 413)["field"] == "Content-Length"
    assert answer.headers["connection"] == "close"
    assert gateway.metric("tetouan_http_refusals_total", door="body") == 1


def test_a_body_without_an_end_is_not_read_whole() -> None:
    """One that says no length is refused once it is too long, and not taken for ever after that."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 100_000
            yield b" " * 100_000

    request = httpx.Request(
        "POST", "http://localhost/api/predict", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert problem(Gateway(router()).ask(request)[0], 413)["field"] == "body"
    assert sent < 20_000_000


def test_a_bug_is_told_without_its_inside(gateway: Gateway) -> None:
    """500 says that it is one, no more; what is known to go wrong has a problem of its own."""
    answer = gateway.get("/api/bug")
    assert "report it" in str(problem(answer, 500)["detail"])
    assert "secret" not in answer.text
    assert "Content-Security-Policy" in answer.headers
    answer = gateway.get("/api/away")
    assert problem(answer, 503)["detail"] == "the database does not answer: wait"


def test_browsers_are_told_what_may_be_done(gateway: Gateway) -> None:
    """No inline script, no frame, no sniffing; and no other origin may read an answer."""
    answer = gateway.get("/api/sites/a/zones/3", {"Origin": "https://elsewhere.example"})
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_answers_are_counted_by_route() -> None:
    """The route stands for all its paths, and one name for those that are none."""
    gateway = Gateway(router())
    gateway.ask(
        *(
            httpx.Request("GET", f"http://localhost{path}")
            for path in ("/api/sites/a/zones/1", "/api/sites/b/zones/2", "/x", "/y", "/api/bug")
        )
    )
    route = "/api/sites/{site}/zones/{zone}"
    assert gateway.metric("tetouan_http_requests_total", route=route, status="200") == 2
    assert gateway.metric("tetouan_http_requests_total", route="other", status="404") == 2
    assert gateway.metric("tetouan_http_requests_total", route="/api/bug", status="500") == 1
    assert gateway.metric("tetouan_http_request_duration_seconds_count", route=route) == 2


def test_the_document_has_problems_and_keys(gateway: Gateway) -> None:
    """OpenAPI tells the form of an error and how a key is sent; no page with scripts of others is there."""
    document = gateway.get("/openapi.json").json()
    answers = document["paths"]["/api/predict"]["post"]["responses"]
    described = answers["422"]["content"]["application/problem+json"]
    assert described["schema"] == {"$ref": "#/components/schemas/Problem"}
    assert described["example"]["status"] == 422
    assert document["components"]["schemas"]["Problem"]["required"]
    assert set(document["components"]["securitySchemes"]) == {"bearer", "basic", "header"}
    problem(gateway.get("/docs"), 404)
