"""What the results of the steps of a pipeline say, in one line each, and what to do where one is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.forecasting.digits import digits

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["advised", "summarised"]

NAMED = 3  # things that a line names


def summarised(step: str, result: dict[str, Any]) -> str:
    """Return what the result of a step says."""
    return _read(_SAID.get(step), result)


def advised(step: str, result: dict[str, Any]) -> str:
    """Return what to do about a result that is not well, of those steps that tell it in their result."""
    return _read(_ADVICE.get(step), result)


def _read(reader: Callable[[dict[str, Any]], str] | None, result: dict[str, Any]) -> str:
    if reader is None:
        return ""
    try:
        return reader(result)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # written by hand, or by another release
        return "its result cannot be read: delete it, and run the step again"


def _doctor(result: dict[str, Any]) -> str:
    states = [each["state"] for each in result["checks"]]
    return f"{states.count('ok')} of {len(states)} checks are ok, {states.count('wrong')} wrong"


def _wrong(result: dict[str, Any]) -> list[dict[str, str]]:
    return [each for each in result["checks"] if each["state"] == "wrong"]


def _doctor_advice(result: dict[str, Any]) -> str:
    return "; ".join(f"{each['check']}: {each['advice'] or each['found']}" for each in _wrong(result))


def _data(result: dict[str, Any]) -> str:
    return f"{result['label']}: {result['rows']:,} rows from {result['first'][:16]} to {result['last'][:16]}"


def _clean(result: dict[str, Any]) -> str:
    odd = [f"{result[fate]:,} {fate}" for fate in ("flagged", "repeated", "refused") if result[fate]]
    became = ", ".join((f"{result['as_it_was']:,} as they were", *odd))
    return f"{result['rows']:,} rows: {became}"


def _eda(result: dict[str, Any]) -> str:
    doubts, changes = len(result["doubts"]), len(result["clock_changes"])
    return f"{doubts} doubts about the readings, {changes} changes of the clock to look at"


def _train(result: dict[str, Any]) -> str:
    return "; ".join(f"{each['model']}: {each['reason']}" for each in result["models"])


def _compare(result: dict[str, Any]) -> str:
    scored = [row for row in result["results"] if row["rmse_kw"] is not None and not row["trained_on_this_data"]]
    day = [row for row in scored if row["lead_minutes"] in (None, 1440)]
    best = sorted(day, key=lambda row: float(row["rmse_kw"]))[:NAMED]
    return "RMSE a day ahead: " + ", ".join(f"{row['model']} {digits(row['rmse_kw'])} kW" for row in best)


def _register(result: dict[str, Any]) -> str:
    champions = [f"{each['model']}/{each['version']}" for each in result["models"] if "champion" in each["aliases"]]
    return f"{len(result['models'])} versions; champions: {', '.join(champions) or 'none'}"


def _verify(result: dict[str, Any]) -> str:
    states = [check["state"] for check in result["checks"]]
    return f"{states.count('ok')} of {len(states)} checks passed"


def _verify_advice(result: dict[str, Any]) -> str:
    return "; ".join(f"{each['version']} {each['check']}: {each['found']}" for each in _wrong(result))


def _backtest(result: dict[str, Any]) -> str:
    day = result["leads"]["1440"]
    said = f"a day ahead RMSE {digits(day['rmse_kw'])} kW"
    covered = day["coverage"]
    return said if covered is None else f"{said}, the 90 % interval covers {100 * covered:.1f} %"


def _reproduce(result: dict[str, Any]) -> str:
    return "; ".join(
        f"{each['version']} {'reproduced' if each['reproduced'] else 'NOT reproduced'}, "
        f"allowed {each['allowed_relative_difference']:g}"
        for each in result["versions"]
    )


def _reproduce_advice(result: dict[str, Any]) -> str:
    checks = [check for each in result["versions"] for check in each["not_equal"] if check["verdict"] == "differs"]
    named = ", ".join(f"{check['what']} {check['name']}" for check in checks[:NAMED])
    return f"{named} differ: see the page, then train again with `tetouan train`"


_SAID: dict[str, Callable[[dict[str, Any]], str]] = {
    "doctor": _doctor,
    "data": _data,
    "clean": _clean,
    "eda": _eda,
    "train": _train,
    "compare": _compare,
    "register": _register,
    "verify": _verify,
    "backtest": _backtest,
    "reproduce": _reproduce,
}
_ADVICE: dict[str, Callable[[dict[str, Any]], str]] = {
    "doctor": _doctor_advice,
    "verify": _verify_advice,
    "reproduce": _reproduce_advice,
}
