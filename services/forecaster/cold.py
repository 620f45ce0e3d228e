"""What a site begins with that has no champions: a state that has seen nothing, with or without a prior."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.forecaster.issuing import ZoneModels, parameters_of
from shared.forecasting.prior import Prior
from shared.runtime.settings import PREFIX, Refused

if TYPE_CHECKING:
    from pathlib import Path

    from shared.sites.site import Site

__all__ = ["ColdStart"]


class ColdStart:
    """Makes the zones of sites that begin cold.

    Parameters
    ----------
    file
        The prior that they begin with; None: with nothing.

    Raises
    ------
    Refused
        If the file cannot be read or is no prior.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._misfits: dict[str, str] = {}
        try:
            self._prior = None if file is None else Prior.load(file)
        except OSError as error:
            advice = "name a file of `tetouan train --prior`"
            raise Refused(f"{PREFIX}PRIOR={str(file)!r}: cannot be read ({error.strerror}): {advice}") from None
        except ValueError as error:
            raise Refused(f"{PREFIX}PRIOR: {error}") from None

    def zones_of(self, site: Site) -> tuple[ZoneModels, ...]:
        """Return the zones of a site to forecast, without the prior where it does not fit."""
        try:
            return tuple(ZoneModels.begun_cold(site, zone, self._prior) for zone in site.zones)
        except ValueError as error:
            self._misfits[site.name] = f"begun without {PREFIX}PRIOR={str(self._file)!r}: {error}"
            return tuple(ZoneModels.begun_cold(site, zone) for zone in site.zones)

    def has_begun(self, site: Site, models: ZoneModels) -> bool:
        """Tell whether the site would begin with a demand model of these parameters today."""
        found = models.demand.parameters
        if found == parameters_of(site, models.zone, self._prior):
            return True  # there is such a model: the prior fits, and none has to be made to see that
        return any(begun.zone == models.zone and begun.demand.parameters == found for begun in self.zones_of(site))

    def misfit(self, site: str) -> str | None:
        """Return why a site that has begun here has begun without the prior, None where it has not."""
        return self._misfits.get(site)
