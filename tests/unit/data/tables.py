"""Tables of a site read from bytes, as the tests have them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from shared.data.dialect import Survey
from shared.data.reading import read_table
from shared.data.table import of_site

if TYPE_CHECKING:
    import pandas as pd

    from shared.data.numbers import Mark
    from shared.sites.site import Site

__all__ = ["identity", "parse"]


def parse(
    raw: bytes, site: Site, name: str, *, separator: str | None = None, decimal: Mark | None = None
) -> pd.DataFrame:
    """Return the rows of the site that stand in a file of these bytes."""
    known = {site.time_column, *site.columns, *site.ignore}
    table = read_table(lambda: io.BytesIO(raw), name, separator=separator, known=known)
    return of_site(table, site, name, decimal)


def identity(raw: bytes) -> str:
    """Return what tells a table from others."""
    return Survey.of(io.BytesIO(raw)).sha256
