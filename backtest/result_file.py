"""Results of backtests as they were written with ``--json``: what cards and the monthly page are made from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from shared.data.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["ResultFile"]

_NEEDED = ("site", "zone", "data", "data_sha256", "test_from", "until", "months", "seasons", "leads")


@dataclass(frozen=True, eq=False)
class ResultFile:
    """One result of a backtest, of one zone.

    Attributes
    ----------
    told
        What the file holds.
    months, seasons
        The tables of these names of `backtest.result.Backtest`.
    """

    told: Mapping[str, Any]
    months: pd.DataFrame
    seasons: pd.DataFrame

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file; raises `DataError` where it is no such result."""
        advice = "give a file that `tetouan backtest --json FILE` has written"
        try:
            told = json.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"{file}: {error.strerror}: {advice}") from None
        except ValueError:
            raise DataError(f"{file}: no JSON: {advice}") from None
        lacking = [name for name in _NEEDED if not isinstance(told, dict) or name not in told]
        if lacking:
            raise DataError(f"{file}: no {lacking[0]} in it, so it is no result of this release: {advice}")
        return cls(told, pd.DataFrame(told["months"]), pd.DataFrame(told["seasons"]))

    @property
    def label(self) -> str:
        """Whose result it is, and of what."""
        told = self.told
        return (
            f"zone {told['zone']} of {told['site']}, {told['data']}, {told['test_from'][:10]} to {told['until'][:10]}"
        )
