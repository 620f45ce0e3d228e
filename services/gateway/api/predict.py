"""`/predict`: what the weather model says of weather that somebody gives."""

from datetime import datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema

from services.gateway.api.parameters import SiteName, ZoneNumber, instant
from services.gateway.api.routes import EncodedRoute
from services.gateway.http.problems import Problem, documented
from services.gateway.predicting import INPUTS, AssumedWeather, predict
from services.gateway.queries import History
from services.gateway.recent import RecentErrors
from services.gateway.weather_models import Champion, NoModelError, WeatherModels
from shared.sites.site import Site
from shared.sites.table import BUILT_IN, Sites

__all__ = ["SEED_ZONE", "Estimating", "Request", "predict_router"]

SEED_ZONE = 2
MOST = 1008  # requests at once: a week of steps of ten minutes
RETRY = {"Retry-After": "5"}
JSON = "application/json"

EXAMPLE: dict[str, JsonValue] = {
    "Timestamp": "2024-03-20 14:30:00",
    "Temperature": 22.5,
    "Humidity": 75,
    "WindSpeed": 3.2,
    "GeneralDiffuseFlows": 450.0,
    "DiffuseFlows": 120.5,
}
OTHER_YEAR = (
    "Timestamp 2024-03-20 is in a year that the model has not seen, only 2017-01-01 to 2017-10-18: it answers as for "
    "the same time of those"
)
ANSWER: dict[str, JsonValue] = {
    "predicted_power_consumption_zone2": 17214.3,
    "uncorrected_kw": 16120.0,
    "correction_kw": 1094.3,
    "low_kw": 15804.1,
    "high_kw": 18690.9,
    "model": "weather-demand-tetouan-2/1",
    "warnings": [OTHER_YEAR],
}


def _time(text: object) -> datetime:
    return instant(text, naive_is_utc=True)


Timestamp = Annotated[datetime, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class Request(BaseModel):
    """A time, and the weather then."""

    model_config = ConfigDict(frozen=True)

    Timestamp: Annotated[Timestamp, Field(description="ISO 8601, `T` or a blank in between; without an offset: UTC.")]
    Temperature: Annotated[Number, Field(ge=-60, le=60, description="Degrees Celsius.")]
    Humidity: Annotated[Number, Field(ge=0, le=100, description="Per cent.")]
    WindSpeed: Annotated[Number, Field(ge=0, le=75, description="m/s.")]
    GeneralDiffuseFlows: Annotated[Number, Field(ge=-10, le=1500, description="W/m2.")]
    DiffuseFlows: Annotated[Number, Field(ge=-10, le=1500, description="W/m2.")]

    def asked(self) -> AssumedWeather:
        """Return it in the order of the fields of a reading."""
        return AssumedWeather(self.Timestamp, tuple(getattr(self, name) for name in INPUTS.values()))


class PredictionDocument(BaseModel):
    """An estimate. The field of the load is named after the zone: `predicted_power_consumption_zone2`."""

    model_config = ConfigDict(extra="allow")

    uncorrected_kw: float = Field(description="What the model says of weather and calendar.")
    correction_kw: float = Field(
        description="What the newest forecast of the same time of day says it is to be corrected by; 0 where none is."
    )
    low_kw: float | None = Field(
        description="5 % of loads are below, by the last 28 days; null where these are too few to tell."
    )
    high_kw: float | None = Field(description="5 % of loads are above.")
    model: str = Field(description="The registered model and its version.")
    warnings: list[str] = Field(description="What to know: inputs that are beyond what the model has seen, say.")


class ZoneTwoAnswer(PredictionDocument):
    """The same of zone 2."""

    predicted_power_consumption_zone2: float = Field(description="The load in kW: the estimate, corrected.")


class Estimating:
    """Answers requests about the zones of a table of sites.

    Parameters
    ----------
    history
        What the models were off of late.
    models
        The champions.
    sites
        The table.
    """

    def __init__(self, history: History, models: WeatherModels, sites: Sites) -> None:
        self._recent = RecentErrors(history)
        self._models = models
        self._sites = sites

    def answers(self, name: str, zone: int, requests: list[Request]) -> list[dict[str, Any]]:
        """Answer each request; raises ``Problem`` where there is no such zone, or no model."""
        site = self._sites.get(name)
        if site is None:
            detail = "no such site is forecast here: /api/v1/sites lists those of which readings have come"
            raise Problem.of(404, "site", name, detail)
        if zone not in site.zones:
            forecast = ", ".join(map(str, site.zones))
            raise Problem.of(404, "zone", str(zone), f"the zones of {name} that are forecast are {forecast}")
        if not site.weather:
            raise Problem.of(404, "site", name, "it publishes no weather, so it has no weather model")
        champion = self._champion(site, zone)
        recent = self._recent.of(site.name, zone, site.step_minutes)
        asked = [one.asked() for one in requests]
        found = predict(champion.trees, asked, recent.corrections_kw, recent.errors, site.floor_kw(zone))
        return [
            {
                f"predicted_power_consumption_zone{zone}": one.estimate_kw,
                "uncorrected_kw": one.uncorrected_kw,
                "correction_kw": one.correction_kw,
                "low_kw": one.low_kw,
                "high_kw": one.high_kw,
                "model": champion.label,
                "warnings": [*one.warnings, *([champion.doubt] if champion.doubt else [])],
            }
            for one in found
        ]

    def _champion(self, site: Site, zone: int) -> Champion:
        try:
            return self._models.champion(site, zone)
        except NoModelError as error:
            raise Problem(503, f"no weather model answers: {error}", headers=RETRY) from None


Many = Annotated[list[Request], Body(min_length=1, max_length=MOST)]


def predict_router(estimating: Estimating) -> APIRouter:
    """Return the routes; those without a site are of zone 2 of the site that is built in."""
    router = APIRouter(tags=["predict"], route_class=EncodedRoute)
    one, many = _asked_as(EXAMPLE), _asked_as([EXAMPLE])

    @router.post(
        "/predict",
        responses=_answered_with(ZoneTwoAnswer, ANSWER),
        openapi_extra=one,
        summary="The load of zone 2 at a time and its weather",
    )
    def predict_seed(request: Request) -> Response:
        """Answer as the first version of this system did, with more beside the load."""
        return _rendered(estimating.answers(BUILT_IN, SEED_ZONE, [request])[0])

    @router.post(
        "/predict/batch",
        responses=_answered_with(list[ZoneTwoAnswer], [ANSWER]),
        openapi_extra=many,
        summary="The same for up to 1008 times",
    )
    def predict_batch(requests: Many) -> Response:
        """Answer each request of a list, in its order."""
        return _rendered(estimating.answers(BUILT_IN, SEED_ZONE, requests))

    @router.post(
        "/api/v1/sites/{site}/zones/{zone}/predict",
        responses=_answered_with(PredictionDocument, ANSWER),
        openapi_extra=one,
        summary="The load of any zone at a time and its weather",
    )
    def predict_zone(site: SiteName, zone: ZoneNumber, request: Request) -> Response:
        """Answer for a zone; the load stands in `predicted_power_consumption_zoneN`, N being its number."""
        return _rendered(estimating.answers(site, zone, [request])[0])

    @router.post(
        "/api/v1/sites/{site}/zones/{zone}/predict/batch",
        responses=_answered_with(list[PredictionDocument], [ANSWER]),
        openapi_extra=many,
        summary="The same for up to 1008 times",
    )
    def predict_zone_batch(site: SiteName, zone: ZoneNumber, requests: Many) -> Response:
        """Answer each request of a list, in its order."""
        return _rendered(estimating.answers(site, zone, requests))

    return router


def _asked_as(example: JsonValue) -> dict[str, Any]:
    """Return what the OpenAPI document says of a body beside its schema."""
    return {"requestBody": {"content": {JSON: {"example": example}}}}


def _answered_with(model: Any, example: JsonValue) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of the answers of a route."""
    return {200: {"model": model, "content": {JSON: {"example": example}}}, **documented(400, 404)}


def _rendered(answer: dict[str, Any] | list[dict[str, Any]]) -> Response:
    return Response(orjson.dumps(answer), media_type=JSON)
