"""The state of a forecaster as arrays by name: its models as they are by now, to be kept and taken up again.

All of them is in it, parameters and trees too: a forecaster that has kept its state needs nothing else to go on.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from services.forecaster.issuing import ZoneModels
from shared.contracts.messages import ModelNames  # noqa: TC001 - pydantic reads the annotation at run time
from shared.forecasting import model
from shared.forecasting import weather as weather_model
from shared.forecasting.model import ZoneDemand
from shared.forecasting.state import below, joined
from shared.forecasting.weather import WeatherDemand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

    from shared.sites.site import Site

__all__ = ["FORMAT", "described", "digest_of", "large_state_of", "moving_state_of", "zones_of"]

FORMAT = f"5/{model.VERSION}/{weather_model.VERSION}"

State = dict[str, "NDArray[Any]"]
M = TypeVar("M", ZoneDemand, WeatherDemand)

CHAMPION = "champion"
"""The role of the models whose forecasts are sent."""
_PARTS = ("origin", "demand", "weather")


class _Origin(BaseModel):
    """Of which registered models a state is."""

    model_config = ConfigDict(extra="forbid", strict=True)
    models: ModelNames
    digest: str


def described(site: Site) -> str:
    """Return what the numbers of a site's state depend on."""
    calendar = json.dumps([site.country, site.time_zone, site.holidays.model_dump(mode="json")], sort_keys=True)
    zones, weather = (",".join(map(str, names)) or "none" for names in (site.zones, site.weather))
    digest = sha256(calendar.encode()).hexdigest()[:8]
    return f"step {site.step_minutes}, zones {zones}, weather {weather}, {site.time_zone}, calendar {digest}"


def digest_of(models: ZoneModels) -> str:
    """Return what tells models with other parameters or another state from these.

    A registry that was made anew counts its versions from one again. To be asked before they learn.
    """
    digest = sha256()
    arrays = joined({name: model.state() for name, model in _models_in(models)})
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def large_state_of(zones: Iterable[ZoneModels]) -> State:
    """Return what hardly changes but at a day's end, such as ``zone2.champion.demand.regression.beta``; no copies."""
    return joined({_name(models.zone): {"origin": _origin_of(models), **_large(models)} for models in zones})


def moving_state_of(zones: Iterable[ZoneModels]) -> State:
    """Return what changes with every reading, such as ``zone2.champion.demand.outlook.last_step``; no copies."""
    return joined({_name(models.zone): _moving(models) for models in zones})


def zones_of(
    large: Mapping[str, NDArray[Any]], moving: Mapping[str, NDArray[Any]], zones: Iterable[int]
) -> tuple[ZoneModels, ...]:
    """Return the zones of which `large_state_of` and `moving_state_of` were asked.

    Raises ``ValueError`` that names what does not fit.
    """
    names = {zone: _name(zone) for zone in zones}
    if odd := sorted(name for name in (*large, *moving) if ".".join(name.split(".")[:2]) not in names.values()):
        raise ValueError(f"the state adds {', '.join(odd)}")
    return tuple(_zone_of(zone, name, below(large, name), below(moving, name)) for zone, name in names.items())


def _zone_of(zone: int, name: str, large: State, moving: State) -> ZoneModels:
    if odd := sorted(array for array in (*large, *moving) if array.partition(".")[0] not in _PARTS):
        raise ValueError(f"the state adds {name}.{odd[0]}")
    try:
        origin = _Origin.model_validate_json(large["origin"].tobytes() if "origin" in large else b"")
    except ValidationError as error:
        raise ValueError(f"{name}.origin does not say of which models the state is") from error
    demand = _model_of(f"{name}.demand", ZoneDemand.of_parts, below(large, "demand"), below(moving, "demand"))
    trees, correction = below(large, "weather"), below(moving, "weather")
    weather = _model_of(f"{name}.weather", WeatherDemand.of_parts, trees, correction) if trees or correction else None
    return ZoneModels(zone, demand, weather, origin.models, origin.digest)


def _model_of(name: str, of_parts: Callable[[State, State], M], large: State, moving: State) -> M:
    try:
        return of_parts(large, moving)
    except (OSError, OverflowError, ValueError) as error:  # the first two: a time that no calendar has
        raise ValueError(f"{name}: {error}") from error


def _origin_of(models: ZoneModels) -> NDArray[np.uint8]:
    origin = _Origin(models=models.names, digest=models.digest)
    return np.frombuffer(json.dumps(origin.model_dump(), sort_keys=True).encode(), dtype=np.uint8)


def _name(zone: int) -> str:
    return f"zone{zone}.{CHAMPION}"


def _large(models: ZoneModels) -> State:
    return joined({name: model.large_state() for name, model in _models_in(models)})


def _moving(models: ZoneModels) -> State:
    return joined({name: model.moving_state() for name, model in _models_in(models)})


def _models_in(models: ZoneModels) -> list[tuple[str, ZoneDemand | WeatherDemand]]:
    both = ("demand", models.demand), ("weather", models.weather)
    return [(name, model) for name, model in both if model is not None]
