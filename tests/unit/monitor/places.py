"""Sites for the tests of the monitor."""

from __future__ import annotations

from shared.sites.site import Site

__all__ = ["place"]


def place(
    name: str = "tetouan", zones: tuple[int, ...] = (2,), weather: tuple[str, ...] = (), step_minutes: int = 30
) -> Site:
    """Return a site whose clock is that of UTC."""
    fields = (*weather, *(f"zone_{zone}_kw" for zone in zones))
    return Site.model_validate(
        {
            "name": name,
            "step_minutes": step_minutes,
            "time_column": "time",
            "time_zone": "UTC",
            "columns": {field: field for field in fields},
        }
    )
