"""`tetouan models promote` and `rollback`: another version becomes the champion, and running forecasters are told.

The alias in the registry is set first, then the event is sent; without a broker neither is done. Who is interrupted
between the two promotes the version once more: an event is sent where the topic wants another one than the registry.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from cli.models import named_version, opened, require_model
from cli.watching import last_reading
from services.forecaster.asking import loaded, pairs_of, unpublished
from shared.runtime.registered import WEATHER_DEMAND, ZONE_DEMAND, named_model
from shared.runtime.registry import PREVIOUS
from shared.runtime.settings import Refused
from shared.sites.table import known_sites
from shared.training.announcing import announce, event_of
from shared.training.verdicts import NotBetterError, trained_together, why_better

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.console import Console

    from cli.settings import CommandSettings
    from services.forecaster.issuing import ZoneModels
    from shared.contracts.messages import ModelEvent
    from shared.runtime.registered import NamedModel
    from shared.runtime.registry import ModelVersion, Registry
    from shared.sites.site import Site
    from shared.training.announcing import Change

__all__ = ["run_promote", "run_rollback"]

UNTOLD = "the registry has {}, but running forecasters are not told of it ({}): once the brokers answer run `{}`"
UNTELLABLE = (
    "nothing has changed, since running forecasters could not be told ({}): run this again once the brokers answer"
)
OVERTAKEN = 2  # times that another command may change a champion while this one tells of it
STAYS = "it is the champion, and stays"
FORCE = "to promote it all the same, give --force --reason TEXT"

Versions = dict[str, "ModelVersion"]


@dataclass(frozen=True)
class _Zone:
    """The models of a zone in the registry."""

    registry: Registry
    model: NamedModel
    site: Site

    @classmethod
    def of(cls, name: str, registry: Registry, settings: CommandSettings) -> _Zone:
        """Return that of a registered model; raises ``Refused`` where it is none of ours, or of an unknown site."""
        require_model(registry, name)
        model = named_model(name)
        if model is None:
            raise Refused(f"{name} is no model of a zone: give one that begins with {ZONE_DEMAND} or {WEATHER_DEMAND}")
        try:
            site = known_sites(settings.sites).require(model.site)
        except ValueError as error:
            raise Refused(f"{error}, see TETOUAN_SITES") from None
        if model.zone not in site.zones:
            zones = ", ".join(map(str, site.zones))
            raise Refused(
                f"nobody forecasts zone {model.zone} of {site.name}: its table has {zones}, see TETOUAN_SITES"
            )
        return cls(registry, model, site)

    def champions(self) -> Versions:
        """Return those of the zone, by name."""
        names = (self.model.name, self.model.partner.name)
        return {name: version for name in names if (version := self.registry.champion(name)) is not None}

    def loaded(self, versions: Versions) -> ZoneModels:
        """Return the models as a forecaster would run them; raises ``Refused`` where it would refuse them."""
        alone = self.site.model_copy(update={"zones": (self.model.zone,)})
        pairs = pairs_of(alone, {name: version.version for name, version in versions.items()})
        if self.model.zone not in pairs:
            demand = self.model.partner.name
            raise Refused(f"there is no champion of {demand}, which {self.model.name} runs beside: promote one first")
        label = versions[self.model.name].label
        if label not in pairs[self.model.zone].labels:
            raise Refused(f"{label} cannot be used: {self.model.site} has no weather in its table")
        of_label = {version.label: version for version in versions.values()}
        try:
            models = loaded(pairs[self.model.zone], alone, lambda wanted: self.registry.fetch(of_label[wanted]))
        except ValueError as error:
            raise Refused(str(error)) from None
        if self.model.kind == WEATHER_DEMAND and (why := unpublished(models, alone)):
            raise Refused(f"{label} cannot be used: {why}")
        return models


def run_promote(
    name: str, version: str, reason: str | None, settings: CommandSettings, console: Console
) -> Sequence[str]:
    """Make a version the champion where its score is better, or for the ``reason`` that is given; returns what is so.

    Raises ``Refused`` before anything changes, or once the registry has it where running forecasters are not told.
    They are told of the other model of the zone too, where they do not know that it is the champion.
    """
    registry = opened(settings, console)
    zone = _Zone.of(name, registry, settings)
    challenger, champions = named_version(registry, name, version), zone.champions()
    versions = {**champions, name: challenger}
    models = zone.loaded(versions)
    origin = _origin(models, zone, settings)
    why = reason or _by_score(challenger, champions.get(name))
    telling = _Telling(zone, origin, versions, {name: ("promoted", why)})
    _require_topic(settings)
    registry.promote(challenger, reason)
    done = f"{challenger.label} as its champion: {why}"
    telling.tell(done, reason, settings)
    return [done, *_beside(models, challenger)]


def _by_score(challenger: ModelVersion, champion: ModelVersion | None) -> str:
    if champion is None:
        return "it is the first champion"
    if champion.version == challenger.version:
        return "it is the champion already"
    try:
        return why_better(challenger, champion)
    except NotBetterError as error:
        raise Refused(f"{error}; {FORCE}") from None


def run_rollback(name: str, reason: str | None, settings: CommandSettings, console: Console) -> Sequence[str]:
    """Make the previous version the champion again, and that of the zone's other model which was trained with it.

    Returns what is so. Raises ``Refused`` as `run_promote` does, and where there is no version to go back to.
    """
    registry = opened(settings, console)
    zone = _Zone.of(name, registry, settings)
    champions = zone.champions()
    if (left := champions.get(name)) is None:
        raise Refused(f"{name} has no champion: run `tetouan train`")
    back = _previous(zone, champions)
    versions = {**champions, **back}
    models = zone.loaded(versions)
    origin = _origin(models, zone, settings)
    why = reason or f"rolled back by hand from {left.label}"
    said: dict[str, tuple[Change, str]] = dict.fromkeys(back, ("rolled_back", why))
    telling = _Telling(zone, origin, versions, said)
    _require_topic(settings)
    for version in back.values():
        registry.roll_back(version, why)
    done = " and ".join(f"{version.label} as its champion" for version in versions.values())
    written = telling.tell(done, reason, settings)
    if not back and not written:
        raise Refused(
            f"no version before {left.label} is known: `tetouan models list` shows all, "
            f"`tetouan models promote {name} VERSION --force --reason TEXT` promotes one"
        )
    return [f"{version.label}: champion again, {why}" for version in back.values()] or [f"the registry has {done}"]


def _previous(zone: _Zone, champions: Versions) -> Versions:
    """Return what to go back to, by name: what is to be done first comes first, so that to do it again ends the same.

    The other model of the zone goes back where one training has made both champions: so what ran together does again.
    """
    name, partner = zone.model.name, zone.model.partner.name
    found = {
        each: version
        for each in (partner, name)
        if each in champions and (version := zone.registry.called(each, PREVIOUS)) is not None
    }
    back = {each: version for each, version in found.items() if version.version != champions[each].version}
    if name not in back:
        return {}
    if partner in back and not trained_together(champions[partner], champions[name]):
        del back[partner]
    return back


def _origin(models: ZoneModels, zone: _Zone, settings: CommandSettings) -> datetime:
    """Return the first origin that models can answer: after the last reading that they have seen, and the newest one.

    Raises ``Refused`` where the newest reading is so late that no forecaster has all readings in between.
    """
    as_of, newest = models.as_of, _newest_reading(settings, zone.model.site)
    if as_of is None:
        raise Refused(f"{' with '.join(models.labels)} have seen no reading: run `tetouan train`")
    if newest is not None and newest - as_of > timedelta(days=settings.max_gap_days):
        raise Refused(
            f"{' with '.join(models.labels)} end at {as_of:%Y-%m-%d %H:%M}, more than {settings.max_gap_days} days "
            f"before the newest reading, {newest:%Y-%m-%d %H:%M}: forecasters would refuse them. Run `tetouan train` "
            "on newer data, or give forecasters and this command a larger TETOUAN_MAX_GAP_DAYS"
        )
    return max(as_of, newest or as_of) + zone.site.grid.length


def _newest_reading(settings: CommandSettings, site: str) -> datetime | None:
    """Return the time of the newest reading, None where there is none; raises ``Refused`` where no broker tells."""
    try:
        return last_reading(settings, site)
    except Refused as error:
        raise Refused(UNTELLABLE.format(error)) from None


def _require_topic(settings: CommandSettings) -> None:
    """Raise ``Refused`` where the topic of model events cannot be asked what it knows, before anything changes."""
    if (fault := announce((), settings).fault) is not None:
        raise Refused(UNTELLABLE.format(fault))


class _Telling:
    """What is to be told of the champions of a zone: made before anything changes, since it may be refused.

    Parameters
    ----------
    said
        The change and the reason of those that become the champion; the others stay.
    """

    def __init__(
        self, zone: _Zone, origin: datetime, versions: Versions, said: Mapping[str, tuple[Change, str]]
    ) -> None:
        self._zone = zone
        self._origin = origin
        self._versions = versions
        self._said = said
        self._events = self._made(versions)

    def _made(self, versions: Versions) -> list[ModelEvent]:
        return [
            event_of(version, change, self._zone.model.site, self._origin, why)
            for name, version in sorted(versions.items())
            for change, why in [self._said.get(name, ("promoted", STAYS))]
        ]

    def tell(self, done: str, reason: str | None, settings: CommandSettings) -> int:
        """Send the events that the topic does not know; returns how many these were.

        Two commands at once may tell in another order than that in which they have set the alias: the champions are
        looked up again, and told where others have overtaken this one. Raises ``Refused`` that names what to run.
        """
        events, versions, written = self._events, self._versions, 0
        for _ in range(1 + OVERTAKEN):
            sent, fault = announce(events, settings)
            if fault is not None:
                raise Refused(UNTOLD.format(done, fault, self._command(reason)))
            written += sent
            standing = self._zone.champions()
            events = [
                event_of(version, "promoted", self._zone.model.site, self._origin, STAYS)
                for name, version in sorted(standing.items())
                if name not in versions or version.version != versions[name].version
            ]
            if not events:
                break
            versions = standing
        return written

    def _command(self, reason: str | None) -> str:
        version = self._versions[self._zone.model.name]
        forced = f" --force --reason {shlex.quote(reason)}" if reason else ""
        return f"tetouan models promote {version.name} {version.version}{forced}"


def _beside(models: ZoneModels, promoted: ModelVersion) -> list[str]:
    others = [label for label in models.labels if label != promoted.label]
    return [f"it runs beside {', '.join(others)}, from the next reading on"] if others else []
