"""REST over the history: what is asked for comes as JSON and as CSV, page by page, and what is not there is named."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
from starlette.applications import Starlette

from services.gateway.api.routes import Everything
from shared.contracts.messages import Forecast
from tests.unit.gateway import told

if TYPE_CHECKING:
    from shared.forecasting.weather import WeatherDemand
    from tests.unit.gateway.api.filled import Asked

ZONE = "/api/v1/sites/tetouan/zones/2"
PATHS = (
    "/api/v1/sites",
    "/api/v1/sites/tetouan",
    "/api/v1/sites/tetouan/readings",
    "/api/v1/sites/tetouan/drift",
    "/api/v1/sites/tetouan/models",
    f"{ZONE}/forecasts",
    f"{ZONE}/forecasts/latest",
    f"{ZONE}/forecasts/2017-10-19T04:40:00Z",
    f"{ZONE}/targets/2017-10-20T18:00:00Z",
    f"{ZONE}/scores",
    "/api/v1/dead-letters",
)


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """Return the rows of a CSV answer."""
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_a_forecast_says_where_it_comes_from(filled: Asked) -> None:
    """Origin, age in event time, versions of the models, fallback levels and why; its numbers are the message's."""
    answer = filled.gateway.get(f"{ZONE}/forecasts/latest").json()
    message = told.forecast(294)
    assert answer["origin"] == "2017-10-21T01:00:00Z"
    assert answer["age_s"] == 3000
    assert answer["models"] == {"demand": "zone-demand-tetouan-2/1", "weather": "weather-demand-tetouan-2/1"}
    assert answer["levels"][1] == {"from_lead": 7, "to_lead": 144, "level": "frozen", "reason": "the last day was odd"}
    known = {name: value for name, value in answer.items() if name in Forecast.model_fields}
    assert Forecast(**{**known, "schema_version": 2}) == message


def test_a_target_shows_how_its_forecast_changed(filled: Asked) -> None:
    """One view for each origin of the day before, by rising origin, beside the load that came."""
    answer = filled.gateway.get(f"{ZONE}/targets/2017-10-20T18:00:00Z").json()
    leads = [view["lead_minutes"] for view in answer["forecasts"]]
    assert leads == list(range(1440, 0, -10))
    assert answer["demand_kw"] == 20_000.0 + (108 + 144) % 100
    last = answer["forecasts"][-1]
    assert last["median_kw"] == 20_000.0
    assert (last["level"], answer["forecasts"][0]["level"]) == ("adapted", "frozen")
    assert last["models"]["demand"] == "zone-demand-tetouan-2/1"


def test_pages_follow_each_other_until_all_is_read(filled: Asked) -> None:
    """By the cursor in the answer, and by the link in its head; each reading comes once."""
    path: str | None = "/api/v1/sites/tetouan/readings?limit=70&from=2017-10-19T00:30:00Z"
    times: list[str] = []
    while path is not None:
        answer = filled.gateway.get(path)
        times += [reading["time"] for reading in answer.json()["items"]]
        path = answer.links["next"]["url"] if "next" in answer.links else None
        assert (answer.json()["next"] is None) == (path is None)
    assert len(times) == len(set(times)) == 297
    assert times == sorted(times)


def test_the_end_of_a_range_is_left_out(filled: Asked) -> None:
    """An offset is understood, also where its plus sign came as a blank."""
    span = "from=2017-10-19T01:00:00%2B01:00&until=2017-10-19T02:00:00+01:00"
    items = filled.gateway.get(f"/api/v1/sites/tetouan/readings?{span}").json()["items"]
    assert [item["time"] for item in items] == [f"2017-10-19T00:{minute:02}:00Z" for minute in range(0, 60, 10)]


def test_a_correction_replaces_a_reading(filled: Asked) -> None:
    """What was refused is null, with its flag."""
    items = filled.gateway.get("/api/v1/sites/tetouan/readings?limit=9").json()["items"]
    assert items[7]["revision"] == 1
    assert items[7]["values"]["zone_2_kw"] is None
    assert items[7]["flags"]["zone_2_kw"]["flag"] == "outlier"


def test_scores_are_told_by_day_and_lead(filled: Asked) -> None:
    """Those of a lead group alone, where that is asked for."""
    days = filled.gateway.get(f"{ZONE}/scores").json()["items"]
    assert [day["time"] for day in days] == ["2017-10-20T00:00:00Z", "2017-10-20T05:00:00Z"]
    mean = filled.gateway.get(f"{ZONE}/scores?lead_minutes=mean&window_days=7&every=hour&format=csv")
    rows = rows_of(mean)
    assert len(rows) == 29
    assert {row["lead_minutes"] for row in rows} == {"mean"}
    assert rows[0]["rmse_kw"] == "401.0"
    assert rows[0]["skill_vs_same_time_yesterday"] == ""


def test_models_come_with_their_metrics(filled: Asked) -> None:
    """The champion is the one that was promoted last."""
    events = [told.model_event("1", "in_force", step=4), told.model_event("2", "registered", step=9)]
    told.tell(filled.database, events, first_offset=9)
    first, second = filled.gateway.get("/api/v1/sites/tetouan/models").json()["items"]
    assert (first["version"], first["is_champion"]) == ("1", True)
    assert first["metrics"] == {"rmse_kw/corrected": 1001.0}
    assert [change["change"] for change in first["changes"]] == ["registered", "promoted", "in_force"]
    assert (first["in_force_since"], second["in_force_since"]) == ("2017-10-19T00:40:00Z", None)
    assert (second["version"], second["is_champion"]) == ("2", False)


def test_models_are_told_before_the_first_reading(asked: Asked) -> None:
    """They may be registered before a stream begins."""
    told.tell(asked.database, [told.model_event("1", "registered")])
    (model,) = asked.gateway.get("/api/v1/sites/tetouan/models").json()["items"]
    assert (model["version"], model["is_champion"]) == ("1", False)


def test_a_version_that_nobody_promoted_has_its_metrics(filled: Asked, weather_model: WeatherDemand) -> None:
    """Those of the registry: a demo names its versions by tags, and only says which are in force."""
    filled.shelf.put("3", weather_model, champion=False)
    event = told.model_event("3", "in_force", step=4).model_copy(update={"evidence": {"digest": "abc"}})
    told.tell(filled.database, [event], first_offset=9)
    _, demos = filled.gateway.get("/api/v1/sites/tetouan/models").json()["items"]
    assert (demos["version"], demos["is_champion"], demos["metrics"]) == ("3", False, {"rmse_kw/raw": 2.0})
    assert demos["in_force_since"] == "2017-10-19T00:40:00Z"


def test_where_nobody_has_promoted_a_version_the_one_that_answers_is_the_champion(asked: Asked) -> None:
    """As in a demo, which names its versions by tags; one that answers no more is none."""
    events = [told.model_event(version, "in_force", step=step) for step, version in enumerate(("3", "4"))]
    told.tell(asked.database, events)
    items = asked.gateway.get("/api/v1/sites/tetouan/models").json()["items"]
    assert {item["version"]: item["is_champion"] for item in items} == {"3": False, "4": True}


def test_drift_and_dead_letters_are_told(filled: Asked) -> None:
    """Each event as it was told last; dead letters by reason."""
    page = filled.gateway.get("/api/v1/sites/tetouan/drift?limit=1").json()
    assert [event["id"] for event in page["items"]] == ["a"]
    rest = filled.gateway.get(f"/api/v1/sites/tetouan/drift?cursor={quote(page['next'])}").json()
    assert [event["ended"] for event in rest["items"]] == ["2017-10-19T03:00:00Z"]
    (count,) = filled.gateway.get("/api/v1/dead-letters?site=tetouan").json()["items"]
    assert (count["reason"], count["count"]) == ("not_json", 3)


@pytest.mark.parametrize("path", PATHS)
def test_csv_holds_the_same(filled: Asked, path: str) -> None:
    """By header or by parameter; each row has all the names of the heading."""
    by_header = filled.gateway.get(path, {"Accept": "text/csv"})
    by_parameter = filled.gateway.get(f"{path}?format=csv")
    assert by_header.status_code == 200
    assert by_header.headers["content-type"] == "text/csv; charset=utf-8"
    assert by_header.text == by_parameter.text
    rows = rows_of(by_header)
    assert rows
    assert all(None not in row and None not in row.values() for row in rows)


READINGS_HEADING = (
    "site,time,revision,temperature_c,zone_2_kw,"
    "temperature_c_flag,temperature_c_original,zone_2_kw_flag,zone_2_kw_original"
)


def test_csv_of_readings_has_one_heading_for_a_site(filled: Asked) -> None:
    """With or without flags on the page; why a value was refused, and the text that came."""
    texts = [
        filled.gateway.get(f"/api/v1/sites/tetouan/readings?format=csv&limit=4&from=2017-10-19T{time}:00Z").text
        for time in ("00:00", "01:00", "09:00")
    ]
    assert {text.splitlines()[0] for text in texts} == {READINGS_HEADING}
    assert texts[1].splitlines()[2] == "tetouan,2017-10-19T01:10:00Z,1,20.0,,,,outlier,1e9"


def test_csv_of_readings_keeps_fields_that_a_site_has_no_more(asked: Asked) -> None:
    """Those of its first reading stand in each heading; others follow where a page has them."""
    fields = ("old_c", "rare_c", "new_c", "new_c")
    readings = [told.reading(step).model_copy(update={"values": {field: 1.0}}) for step, field in enumerate(fields)]
    told.tell(asked.database, readings)
    path = "/api/v1/sites/tetouan/readings?format=csv&limit=1"
    headings = [list(rows_of(asked.gateway.get(f"{path}&from=2017-10-19T00:{at}:00Z"))[0]) for at in ("10", "20")]
    assert headings[1][3:5] == ["old_c", "new_c"]
    assert headings[0] == [*headings[1], "rare_c"]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/api/v1/sites/tetouan/readings", READINGS_HEADING),
        ("/api/v1/sites/tetouan/drift", "schema_version,id,site,zone,kind,feature,detector,score,threshold"),
        ("/api/v1/dead-letters", "topic,reason,field,count,last_received"),
        (f"{ZONE}/scores", "site,zone,time,lead_minutes,scored_minutes,window_days,rmse_kw,mae_kw,mape,bias_kw"),
        (f"{ZONE}/forecasts", "site,zone,origin,time,lead_minutes,median_kw,low_90_kw,high_90_kw,level,reason"),
        (f"{ZONE}/targets/2030-01-01T00:00:00Z", "site,zone,origin,time,lead_minutes,median_kw,low_90_kw,high_90_kw"),
    ],
)
def test_csv_without_rows_has_the_heading_of_one_with_rows(filled: Asked, path: str, heading: str) -> None:
    """Whoever reads it finds all names."""
    since = "" if "targets" in path else "&from=2030-01-01T00:00:00Z"
    nothing = filled.gateway.get(f"{path}?format=csv{since}").text.splitlines()
    assert len(nothing) == 1
    assert nothing[0].startswith(heading)
    some = filled.gateway.get(f"{path.replace('2030-01-01', '2017-10-20')}?format=csv").text.splitlines()
    assert len(some) > 1
    assert some[0] == nothing[0]


def test_csv_of_nothing_at_all_has_a_heading(asked: Asked) -> None:
    """Sites and dead letters are asked of a gateway that has seen none."""
    assert asked.gateway.get("/api/v1/sites?format=csv").text == "site,step_minutes,first,last\r\n"
    assert asked.gateway.get("/api/v1/dead-letters?format=csv").text == "topic,reason,field,count,last_received\r\n"


def test_csv_of_a_target_has_the_load_that_came(filled: Asked) -> None:
    """In each row; empty where none has come."""
    rows = rows_of(filled.gateway.get(f"{ZONE}/targets/2017-10-20T18:00:00Z?format=csv"))
    assert {row["demand_kw"] for row in rows} == {"20052.0"}
    rows = rows_of(filled.gateway.get(f"{ZONE}/targets/2017-10-21T12:00:00Z?format=csv"))
    assert {row["demand_kw"] for row in rows} == {""}


def test_csv_writes_booleans_as_json_does(filled: Asked) -> None:
    """In small letters."""
    (row,) = rows_of(filled.gateway.get("/api/v1/sites/tetouan/models?format=csv"))
    assert row["is_champion"] == "true"


@pytest.mark.parametrize("path", ["/api/v1/sites/tetouan/models", "/api/v1/dead-letters"])
def test_a_list_that_comes_whole_says_that_nothing_follows(filled: Asked, path: str) -> None:
    """As the end of every other list."""
    assert filled.gateway.get(path).json()["next"] is None


def test_csv_of_a_forecast_is_one_row_a_lead(filled: Asked) -> None:
    """With the time that each number is for, and who answered."""
    rows = rows_of(filled.gateway.get(f"{ZONE}/forecasts/latest?format=csv"))
    assert len(rows) == 144
    assert rows[6] | {"site": ""} == {
        "site": "",
        "zone": "2",
        "origin": "2017-10-21T01:00:00Z",
        "time": "2017-10-21T02:10:00Z",
        "lead_minutes": "70",
        "median_kw": "20006.0",
        "low_90_kw": "19506.0",
        "high_90_kw": "20506.0",
        "level": "frozen",
        "reason": "the last day was odd",
        "demand_model": "zone-demand-tetouan-2/1",
        "age_s": "3000",
    }


@pytest.mark.parametrize("path", PATHS)
def test_what_has_not_changed_is_not_sent_again(filled: Asked, path: str) -> None:
    """304 without a body for the tag of the answer before, until something new comes."""
    before = filled.gateway.get(path)
    again = filled.gateway.get(path, {"If-None-Match": before.headers["ETag"]})
    assert (before.status_code, again.status_code, again.content) == (200, 304, b"")
    assert again.headers["ETag"] == before.headers["ETag"]
    other = filled.gateway.get(path, {"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_as_get_without_the_body(filled: Asked, path: str) -> None:
    """With the same status and headers, also where nothing has changed."""
    url = f"http://localhost{path}"
    whole, head = filled.gateway.ask(httpx.Request("GET", url), httpx.Request("HEAD", url))
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers == whole.headers
    (again,) = filled.gateway.ask(httpx.Request("HEAD", url, headers={"If-None-Match": head.headers["ETag"]}))
    assert again.status_code == 304


def test_another_method_says_what_the_path_takes(filled: Asked) -> None:
    """GET and HEAD of what is read, POST alone of `/predict`; HEAD of what is not there is 404."""
    asked = [("DELETE", "/api/v1/sites"), ("HEAD", "/predict"), ("HEAD", "/api/v1/sites/nowhere")]
    answers = filled.gateway.ask(*(httpx.Request(method, f"http://localhost{path}") for method, path in asked))
    assert [answer.status_code for answer in answers] == [405, 405, 404]
    assert [answer.headers.get("allow") for answer in answers] == ["GET, HEAD", "POST", None]
    assert "use GET, HEAD" in answers[0].json()["detail"]


def test_a_new_forecast_has_another_tag(filled: Asked) -> None:
    """Whoever asks with the old one gets the new forecast."""
    path = f"{ZONE}/forecasts/latest"
    tag = filled.gateway.get(path).headers["ETag"]
    told.tell(filled.database, [told.forecast(296)])
    assert filled.gateway.get(path, {"If-None-Match": tag}).status_code == 200


@pytest.mark.parametrize("end", ["forecasts/2017-10-19T04:40:00Z", "forecasts?limit=2", "targets/2017-10-20T18:00:00Z"])
@pytest.mark.parametrize("kind", ["application/json", "text/csv"])
def test_a_reading_that_comes_changes_no_tag_of_a_forecast(filled: Asked, end: str, kind: str) -> None:
    """Its age is told anew with a whole answer; who has the forecast is not sent it again."""
    before = filled.gateway.get(f"{ZONE}/{end}", {"Accept": kind})
    told.tell(filled.database, [told.reading(306, 20_000.0)])
    after = filled.gateway.get(f"{ZONE}/{end}", {"Accept": kind})
    assert after.text != before.text
    assert after.headers["ETag"] == before.headers["ETag"]
    again = filled.gateway.get(f"{ZONE}/{end}", {"Accept": kind, "If-None-Match": before.headers["ETag"]})
    assert again.status_code == 304


def test_each_form_of_an_answer_has_a_tag_of_its_own(filled: Asked) -> None:
    """Whoever has the one is sent the other."""
    tags = [filled.gateway.get(f"{ZONE}/forecasts/latest?format={form}").headers["ETag"] for form in ("json", "csv")]
    assert tags[0] != tags[1]


def test_long_answers_are_compressed_where_the_client_takes_it(filled: Asked) -> None:
    """And the same otherwise."""
    plain = filled.gateway.get(f"{ZONE}/forecasts/latest", {"Accept-Encoding": "identity"})
    packed = filled.gateway.get(f"{ZONE}/forecasts/latest", {"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content
    assert len(gzip.compress(plain.content)) * 2 > int(packed.headers["Content-Length"])
    assert "Accept-Encoding" in packed.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("/api/v1/sites/nowhere", "site", "lists those that have"),
        ("/api/v1/sites/nowhere/readings", "site", "lists those that have"),
        ("/api/v1/sites/nowhere/zones/2/forecasts/latest", "site", "lists those that have"),
        ("/api/v1/sites/tetouan/zones/9/forecasts/latest", "zone", "/api/v1/sites/tetouan lists the zones"),
        ("/api/v1/sites/tetouan/zones/9/forecasts", "zone", "no forecast of it"),
        ("/api/v1/sites/tetouan/zones/9/forecasts/2017-10-19T04:40:00Z", "zone", "no forecast of it"),
        ("/api/v1/sites/tetouan/zones/9/targets/2017-10-20T18:00:00Z", "zone", "no forecast of it"),
        ("/api/v1/sites/tetouan/zones/9/scores", "zone", "no forecast of it"),
        ("/api/v1/sites/nowhere/models", "site", "lists those that have"),
        (f"{ZONE}/forecasts/2015-01-01T00:00:00Z", "origin", "no forecast of this origin"),
    ],
)
def test_what_is_not_there_is_named(filled: Asked, path: str, field: str, says: str) -> None:
    """404 as a problem."""
    answer = filled.gateway.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("from=2017-10-19T00:00:00", "from", "no offset from UTC"),
        ("until=yesterday", "until", "it is no time"),
        ("from=2017-13-19T00:00:00Z", "from", "it is no time"),
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=many", "limit", "integer"),
        ("cursor=x", "cursor", "give what `next` of the page before says"),
        ("format=xml", "format", "'json' or 'csv'"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(filled: Asked, query: str, field: str, says: str) -> None:
    """422 that says what to write."""
    answer = filled.gateway.get(f"/api/v1/sites/tetouan/readings?{query}")
    assert answer.status_code == 422
    assert answer.json()["field"] == field
    assert says in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "field", "value", "says"),
    [
        ("/api/v1/sites/tetouan/readings?limt=3", "limt", "3", "use limit"),
        ("/api/v1/sites/tetouan/readings?limit=3&From=x", "From", "x", "use from or format"),
        ("/api/v1/sites?since=x", "since", "x", "use cursor or limit or format"),
        (f"{ZONE}/scores?window=7", "window", "7", "use window_days"),
        (f"{ZONE}/forecasts/latest?until=", "until", "", "use format"),
        (f"/api/v1/sites/tetouan?{'x' * 5000}=%FF", "x" * 80, "\N{REPLACEMENT CHARACTER}", "use format"),
    ],
)
def test_a_parameter_that_a_path_does_not_have_is_named(
    filled: Asked, path: str, field: str, value: str, says: str
) -> None:
    """422, with those that may be meant: what is misspelt would be an answer to another question."""
    answer = filled.gateway.get(path)
    assert answer.status_code == 422
    assert (answer.json()["field"], answer.json()["value"]) == (field, value)
    assert answer.json()["detail"].endswith(says)


def test_predict_takes_no_parameter(filled: Asked) -> None:
    """Its body says all."""
    answer = filled.gateway.post("/predict?zone=1", b"{}")
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith('zone="1": there is no such parameter here: leave it out')


ODD_NAMES = (
    "\"quoted\" 'site'",
    "a/b",
    "a/readings",
    "a/zones/2/forecasts/latest",
    "../../etc/passwd",
    "x" * 500,
    "é ü 日本",
    "%2F",
    "'; DROP TABLE sites; --",
    "a\rX-Other: yes",
    "two\nlines\n",
    "a?b#c>d",
    "/",
)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_site_may_have_any_name(asked: Asked, name: str) -> None:
    """Percent-encoded in the path it is found, with its readings, the next page of them, and its forecasts."""
    told.tell(asked.database, [told.reading(step, site=name) for step in range(2)])
    told.tell(asked.database, [told.forecast(0, site=name)])
    path = f"/api/v1/sites/{quote(name, safe='')}"
    assert asked.gateway.get(path).json()["site"] == name
    page = asked.gateway.get(f"{path}/readings?limit=1")
    following = asked.gateway.get(page.links["next"]["url"])
    times = [item["time"] for answer in (page, following) for item in answer.json()["items"]]
    assert times == ["2017-10-19T00:00:00Z", "2017-10-19T00:10:00Z"]
    assert asked.gateway.get(f"{path}/zones/2/forecasts/latest").json()["site"] == name
    assert asked.gateway.get("/api/v1/sites").json()["items"][0]["site"] == name


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_site_of_any_name_is_reached_through_the_service(asked: Asked, name: str) -> None:
    """Behind the paths of health, which hold up none of its bytes."""
    told.tell(asked.database, [told.reading(0, site=name)])
    service = Starlette(routes=[Everything("/", asked.gateway.application())])
    url = f"http://localhost/api/v1/sites/{quote(name, safe='')}"

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(service)) as client:
            return await client.get(url)

    assert asyncio.run(ask()).json()["site"] == name


def test_a_name_of_several_parts_is_not_taken_for_a_path(asked: Asked) -> None:
    """What is to be read of `a` is not read of `a/zones/2`, nor the other way round."""
    told.tell(asked.database, [told.reading(0, site="a")])
    assert asked.gateway.get("/api/v1/sites/a%2Freadings").json()["field"] == "site"
    assert asked.gateway.get("/api/v1/sites/a/readings/").status_code == 404
    assert asked.gateway.get("/api/v1/sites/a%2Fb/readings").json()["value"] == "a/b"


@pytest.mark.parametrize("name", ["x" * 10_000, "a%00b", "%ED%A0%80", "%FF"])
def test_a_name_that_nothing_can_have_is_not_found(asked: Asked, name: str) -> None:
    """No database is asked for what it cannot hold."""
    for path in ("", "/readings", "/drift", "/models", "/zones/1/scores", "/zones/1/forecasts/latest"):
        assert asked.gateway.get(f"/api/v1/sites/{name}{path}").status_code == 404
    assert asked.gateway.get(f"/api/v1/dead-letters?site={name[:900]}").json() == {"items": [], "next": None}


def test_a_history_that_is_away_says_when_to_come_again(asked: Asked) -> None:
    """503 as a problem, without what the database itself said of its statements."""
    with asked.database.writer.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE sites RENAME TO other")
    answer = asked.gateway.get("/api/v1/sites")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "SELECT" not in answer.text
