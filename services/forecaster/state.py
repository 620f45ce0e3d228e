"""The state of a forecaster as arrays by name: what its zones have folded, to be kept and taken up again."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from shared.forecasting import artefact, weather

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from services.forecaster.issuing import ZoneModels
    from shared.data.sites import Site

__all__ = ["FORMAT", "identity_of", "resume_zones", "state_of"]

FORMAT = f"1/{artefact.VERSION}/{weather.FORMAT}"

State = dict[str, "NDArray[Any]"]


def identity_of(site: Site, zones: Iterable[ZoneModels]) -> dict[str, str]:
    """Return what the state belongs to: the site, and the models of each zone, ``None`` for a cold start.

    A registry that was made anew counts its versions from one again, so the models are told apart by what they hold,
    too. To be asked before they learn.
    """
    zones = tuple(zones)
    models = {
        f"zone {models.zone}": f"{models.names.demand} with {models.names.weather}, {models.demand.horizon_steps} leads"
        for models in zones
    }
    held = {f"zone {models.zone} as loaded": _digest(models) for models in zones}
    return {"site": site.name, "step_minutes": str(site.step_minutes), "state format": FORMAT, **models, **held}


def _digest(models: ZoneModels) -> str:
    """Return what tells models with other parameters or another state from these."""
    parameters = (models.demand.get_params(), models.weather and models.weather.get_params())
    digest = sha256(repr(parameters).encode())
    for name, array in sorted(state_of([models]).items()):
        digest.update(f"{name} {array.dtype} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()[:16]


def state_of(zones: Iterable[ZoneModels]) -> State:
    """Return every array of the zones by name, such as ``zone2.demand.history.series``; a copy."""
    return {
        f"zone{models.zone}.{part}.{name}": array
        for models in zones
        for part, model in (("demand", models.demand), ("weather", models.weather))
        if model is not None
        for name, array in model.state().items()
    }


def resume_zones(zones: Iterable[ZoneModels], state: Mapping[str, NDArray[Any]]) -> None:
    """Give the zones what `state_of` returned; raises ``ValueError``, and leaves them alone, where it does not fit."""
    zones = tuple(zones)
    before = state_of(zones)
    try:
        _resume(zones, state)
    except ValueError:
        _resume(zones, before)
        raise


def _resume(zones: tuple[ZoneModels, ...], state: Mapping[str, NDArray[Any]]) -> None:
    left = dict(state)
    for models in zones:
        for part, model in (("demand", models.demand), ("weather", models.weather)):
            if model is None:
                continue
            prefix = f"zone{models.zone}.{part}."
            own = {name: left.pop(name) for name in tuple(left) if name.startswith(prefix)}
            try:
                model.resume({name.removeprefix(prefix): array for name, array in own.items()})
            except ValueError as error:
                raise ValueError(f"zone {models.zone}, {part}: {error}") from error
    if left:
        raise ValueError(f"the state adds {', '.join(sorted(left))}")
