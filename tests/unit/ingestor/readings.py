"""Raw records as a meter might send them; the values are made up."""

from __future__ import annotations

import json
from typing import Any

from shared.sites.table import site

__all__ = ["SITES", "raw", "record"]

SITES = {"tetouan": site("tetouan")}


def record(time: object = "3/1/2020 0:00", **cells: object) -> dict[str, Any]:
    """Return a complete record; a cell is named after its field and replaces the usual one."""
    values = {"temperature_c": "11.5", "zone_1_kw": "31000.04"} | cells
    columns = {column: values.get(field, "1.25") for column, field in SITES["tetouan"].columns.items()}
    return {"site": "tetouan", "DateTime": time, **columns}


def raw(time: object = "3/1/2020 0:00", **cells: object) -> bytes:
    """Return the wire form of `record`."""
    return json.dumps(record(time, **cells)).encode()
