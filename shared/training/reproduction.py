"""A version beside the same training done again: what is equal, what differs, and what that is allowed to."""

from __future__ import annotations

import math
from ast import literal_eval
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from shared.forecasting.method import METHOD, WEATHER_METHOD, Method, WeatherMethod
from shared.runtime.registered import WEATHER_DEMAND, ZONE_DEMAND
from shared.training.candidates import WeatherCandidate, ZoneCandidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from shared.runtime.registry import ModelVersion
    from shared.training.data import TrainingData
    from shared.training.record import TrainingRecord

__all__ = ["ELSEWHERE", "Agreement", "Check", "Reproduction", "Retrained", "compared", "fit_again"]

ELSEWHERE = 1e-6
"""The relative difference that a score may have on another machine, or with other versions of the libraries."""

SAME_REASON = "same machine and libraries: no difference at all, to the last bit"
ELSEWHERE_REASON = (
    f"another machine or other libraries: scores may differ by {ELSEWHERE:g} of their value, since sums are made in "
    "another order there and round differently; files are not compared"
)
UNRECORDED = (
    "{} was registered by a release that kept no record of its training: rows, files, libraries and machine cannot be "
    "compared. `tetouan train` registers a version that has one"
)
CONSTANT = "method."
BIAS, RMSE = "bias_kw", "rmse_kw"
DAYS_NAMED = 5
DIGITS = 12  # of a checksum, for people

T = TypeVar("T", Method, WeatherMethod)


class Agreement(StrEnum):
    """What comes of one comparison; ``DIFFERS`` and ``UNTOLD`` count against a reproduction."""

    EQUAL = "equal"
    WITHIN = "within what is allowed"
    DIFFERS = "differs"
    OTHER = "other, which explains differences"
    UNTOLD = "cannot be told: register it anew with `tetouan train`"


class Check(NamedTuple):
    """One thing that was compared: as it is registered, and as it is now."""

    what: str
    name: str
    registered: str
    now: str
    verdict: Agreement

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.what} {self.name}: registered {self.registered}, now {self.now}: {self.verdict}"


class Retrained(NamedTuple):
    """A training that was done again: parameters as the registry would show them, scores, record."""

    params: Mapping[str, str]
    metrics: Mapping[str, float]
    record: TrainingRecord


@dataclass(frozen=True)
class Reproduction:
    """What was compared of a version, the relative difference that scores may have, and why so much."""

    label: str
    checks: tuple[Check, ...]
    allowed: float
    reason: str

    @property
    def succeeded(self) -> bool:
        """Whether something was compared, and nothing differs by more than is allowed."""
        return not self.differing

    @property
    def differing(self) -> tuple[Check, ...]:
        """What differs by more than is allowed, or cannot be told."""
        return tuple(check for check in self.checks if check.verdict in (Agreement.DIFFERS, Agreement.UNTOLD))

    @property
    def notable(self) -> tuple[Check, ...]:
        """All that is not equal."""
        return tuple(check for check in self.checks if check.verdict is not Agreement.EQUAL)

    @property
    def equal(self) -> dict[str, int]:
        """How many things are equal, by what they are."""
        found: dict[str, int] = {}
        for check in self.checks:
            if check.verdict is Agreement.EQUAL:
                found[check.what] = found.get(check.what, 0) + 1
        return found

    def to_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "version": self.label,
            "reproduced": self.succeeded,
            "allowed_relative_difference": self.allowed,
            "reason": self.reason,
            "equal": self.equal,
            "not_equal": [check._asdict() for check in self.notable],
        }


def fit_again(
    kind: str, history: TrainingData, params: Mapping[str, str], progress: Callable[[float], None]
) -> ZoneCandidate | WeatherCandidate:
    """Fit a kind of model with the constants that a version was registered with.

    Where this release has other constants than those, its own are taken: the comparison names them. Raises as the fit
    of the candidate does.
    """
    recorded = _constants(params)
    if kind == WEATHER_DEMAND:
        return WeatherCandidate.fit(history, progress, method=_method(WeatherMethod, recorded))
    return ZoneCandidate.fit(history, progress, method=_method(Method, recorded))


def _method(kind: type[T], recorded: Mapping[str, str]) -> T:
    try:
        return kind.of_named({name: literal_eval(value) for name, value in recorded.items()})
    except (ValueError, SyntaxError):
        return kind()


def _constants(params: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(CONSTANT): value for name, value in params.items() if name.startswith(CONSTANT)}


def compared(
    version: ModelVersion, record: TrainingRecord | None, now: Retrained, changed: Iterable[str] = ()
) -> Reproduction:
    """Compare a registered version with the same training done again.

    Parameters
    ----------
    record
        What was recorded of the training of the version; None where its release recorded nothing.
    changed
        The files of the version that are not as they were recorded.
    """
    is_here = record is not None and (record.machine, record.libraries) == (now.record.machine, now.record.libraries)
    allowed = 0.0 if is_here else ELSEWHERE
    checks = [*_parameters(version, now), *_readings(version, record, now)]
    if record is not None:
        checks += [*_environment(record, now.record), *_files(record, now.record, is_here=is_here)]
    checks += [Check("file", name, "as recorded", "changed since", Agreement.DIFFERS) for name in changed]
    checks += _scores(version.metrics, now.metrics, allowed)
    if not any(check.what in ("file", "score") and check.verdict is not Agreement.OTHER for check in checks):
        checks.append(Check("score", "of any kind", "-", "-", Agreement.UNTOLD))
    unrecorded = f"{UNRECORDED.format(version.label)}; scores may differ by {ELSEWHERE:g} of their value"
    reason = unrecorded if record is None else SAME_REASON if is_here else ELSEWHERE_REASON
    return Reproduction(version.label, tuple(checks), allowed, reason)


def _parameters(version: ModelVersion, now: Retrained) -> Iterator[Check]:
    """Yield the parameters; the constants beside those that this release would train with."""
    kind = WEATHER_DEMAND if version.name.startswith(WEATHER_DEMAND) else ZONE_DEMAND
    released = (WEATHER_METHOD if kind == WEATHER_DEMAND else METHOD).named()
    constants = {f"{CONSTANT}{name}": str(value) for name, value in released.items()}
    registered, retrained = version.params, {**now.params, **constants}
    for name in sorted(registered.keys() | retrained.keys()):
        what = "constant" if name.startswith(CONSTANT) else "parameter"
        yield _same(what, name, registered.get(name), retrained.get(name))


def _readings(version: ModelVersion, record: TrainingRecord | None, now: Retrained) -> Iterator[Check]:
    yield _same("data", "sha256", version.tags.get("data_sha256"), now.record.data_sha256)
    if record is None:
        return
    yield _same("data", "rows", record.data_rows, now.record.data_rows)
    yield _same("training size", "steps", record.fit_rows, now.record.fit_rows)
    yield _same("training size", "loads", record.fit_loads, now.record.fit_loads)
    dates = sorted(record.days.keys() | now.record.days.keys())
    changed = [date for date in dates if record.days.get(date) != now.record.days.get(date)]
    if changed:
        yield Check("readings", f"of {_named(changed)}", "others", "these", Agreement.DIFFERS)
    else:
        yield Check("readings", "of each day", f"{len(dates)} days", f"{len(dates)} days", Agreement.EQUAL)


def _environment(record: TrainingRecord, now: TrainingRecord) -> Iterator[Check]:
    for name in sorted(record.libraries.keys() | now.libraries.keys()):
        yield _same("library", name, record.libraries.get(name), now.libraries.get(name), Agreement.OTHER)
    yield _same("machine", "kernels", record.machine, now.machine, Agreement.OTHER)
    same_code = record.code_sha256 == now.code_sha256
    verdict = Agreement.EQUAL if same_code else Agreement.OTHER
    one, other = (f"{each.code_version} ({each.code_sha256[:DIGITS]})" for each in (record, now))
    yield Check("code", "version", one, other, verdict)


def _files(record: TrainingRecord, now: TrainingRecord, *, is_here: bool) -> Iterator[Check]:
    """Yield size and checksum of each file; elsewhere they may differ, which says nothing."""
    otherwise = Agreement.DIFFERS if is_here else Agreement.OTHER
    yield _same("model", "bytes", record.size_bytes, now.size_bytes, otherwise)
    for name in sorted(record.files.keys() | now.files.keys()):
        one, other = (each.files.get(name) for each in (record, now))
        yield _same("file", name, one and one.sha256[:DIGITS], other and other.sha256[:DIGITS], otherwise)


def _scores(registered: Mapping[str, float], now: Mapping[str, float], allowed: float) -> Iterator[Check]:
    for name in sorted(registered.keys() | now.keys()):
        one, other = registered.get(name), now.get(name)
        if one is None or other is None:
            yield _same("score", name, one, other)
            continue
        difference, scale = abs(other - one), _scale(name, registered)
        within = difference <= allowed * scale
        is_equal = one == other or (math.isnan(one) and math.isnan(other))
        verdict = Agreement.EQUAL if is_equal else Agreement.WITHIN if within else Agreement.DIFFERS
        yield Check("score", name, repr(one), repr(other), verdict)


def _scale(name: str, metrics: Mapping[str, float]) -> float:
    """Return what a difference is relative to: the score; of a bias, which may be near zero, the RMSE beside it."""
    figure, _, group = name.partition("/")
    value = metrics.get(f"{RMSE}/{group}", metrics[name]) if figure == BIAS else metrics[name]
    return abs(value) if math.isfinite(value) else 0.0


def _same(what: str, name: str, one: object, other: object, otherwise: Agreement = Agreement.DIFFERS) -> Check:
    verdict = Agreement.EQUAL if one == other else otherwise
    return Check(what, name, _shown(one), _shown(other), verdict)


def _shown(value: object) -> str:
    return "-" if value is None else str(value)


def _named(dates: Iterable[str]) -> str:
    listed = list(dates)
    more = f" and {len(listed) - DAYS_NAMED} more days" if len(listed) > DAYS_NAMED else ""
    return ", ".join(listed[:DAYS_NAMED]) + more
