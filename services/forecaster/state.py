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

__all__ = ["FORMAT", "described", "digest_of", "state_of", "zones_of"]

FORMAT = f"4/{model.VERSION}/{weather_model.VERSION}"

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
    for name, array in sorted(_arrays_of(models).items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def state_of(zones: Iterable[ZoneModels]) -> State:
    """Return every array of the zones of a site by zone and role, ``zone2.champion.demand.history.series``; a copy."""
    return joined(
        {f"zone{models.zone}.{CHAMPION}": {"origin": _origin_of(models), **_arrays_of(models)} for models in zones}
    )


def zones_of(state: Mapping[str, NDArray[Any]], zones: Iterable[int]) -> tuple[ZoneModels, ...]:
    """Return the zones that `state_of` was asked of; raises ``ValueError`` that names what does not fit."""
    names = {zone: f"zone{zone}.{CHAMPION}" for zone in zones}
    if odd := sorted(name for name in state if ".".join(name.split(".")[:2]) not in names.values()):
        raise ValueError(f"the state adds {', '.join(odd)}")
    return tuple(_zone_of(zone, name, below(state, name)) for zone, name in names.items())


def _zone_of(zone: int, name: str, state: State) -> ZoneModels:
    if odd := sorted(array for array in state if array.partition(".")[0] not in _PARTS):
        raise ValueError(f"the state adds {name}.{odd[0]}")
    try:
        origin = _Origin.model_validate_json(state["origin"].tobytes() if "origin" in state else b"")
    except ValidationError as error:
        raise ValueError(f"{name}.origin does not say of which models the state is") from error
    demand = _model_of(f"{name}.demand", ZoneDemand.of_state, below(state, "demand"))
    trees = below(state, "weather")
    weather = _model_of(f"{name}.weather", WeatherDemand.of_state, trees) if trees else None
    return ZoneModels(zone, demand, weather, origin.models, origin.digest)


def _model_of(name: str, of_state: Callable[[State], M], state: State) -> M:
    try:
        return of_state(state)
    except (OSError, OverflowError, ValueError) as error:  # the first two: a time that no calendar has
        raise ValueError(f"{name}: {error}") from error


def _origin_of(models: ZoneModels) -> NDArray[np.uint8]:
    origin = _Origin(models=models.names, digest=models.digest)
    return np.frombuffer(json.dumps(origin.model_dump(), sort_keys=True).encode(), dtype=np.uint8)


def _arrays_of(models: ZoneModels) -> State:
    parts = {"demand": models.demand, "weather": models.weather}
    return joined({name: part.state() for name, part in parts.items() if part is not None})
