"""All routes of the REST interface, and what is answered where the history cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.api.forecasts import forecasts_router
from services.gateway.api.predict import predict_router
from services.gateway.api.sites import history_router, sites_router
from services.gateway.http.problems import Problem
from services.gateway.queries import AwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import APIRouter

    from services.gateway.api.predict import Estimating
    from services.gateway.queries import History
    from services.gateway.registered_metrics import RegisteredMetrics

__all__ = ["FAILURES", "rest_routers"]


def _away(error: Exception) -> Problem:
    detail = f"the history cannot be read just now ({error}): try again, and see /readyz"
    return Problem(503, detail, headers={"Retry-After": "5"})


FAILURES: dict[type[Exception], Callable[[Exception], Problem]] = {AwayError: _away}


def rest_routers(history: History, estimating: Estimating, metrics: RegisteredMetrics) -> tuple[APIRouter, ...]:
    """Return the routes."""
    return (
        predict_router(estimating),
        forecasts_router(history),
        history_router(history, metrics),
        sites_router(history),
    )
