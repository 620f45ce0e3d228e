"""Whether the models that a demo needs are known to be registered; MLflow, which takes seconds, is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zipfile import is_zipfile

from shared.runtime.kept_answers import KeptAnswers, NotKeptError
from shared.runtime.registered import FILE, WEATHER_DEMAND, ZONE_DEMAND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.settings import CommandSettings

__all__ = ["are_known"]


def are_known(tags: Mapping[str, str], settings: CommandSettings) -> bool:
    """Tell whether versions with the tags are known for all zones to forecast, and have files that are whole.

    A training registers the demand model last: where that is there and no weather model is, there will be none.
    """
    kept = KeptAnswers(settings.registry_uri, settings.artifact_root, only_kept=True)
    kinds, ends = (ZONE_DEMAND, WEATHER_DEMAND), [f"{settings.site}-{zone}" for zone in settings.zones]
    try:
        versions = {name: version for kind in kinds for name, version in kept.newest(f"{kind}-", tags).items()}
        found = [name for kind in kinds for end in ends if (name := f"{kind}-{end}") in versions]
        sources = [kept.source_of(name, versions[name]) for name in found]
    except NotKeptError:
        return False
    return versions.keys() >= {f"{ZONE_DEMAND}-{end}" for end in ends} and all(
        source is not None and is_zipfile(kept.download(source) / FILE) for source in sources
    )
