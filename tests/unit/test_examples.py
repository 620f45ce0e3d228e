"""The examples in the docstrings of the domain do what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import shared.contracts
import shared.data
import shared.drift
import shared.forecasting
import shared.sites

DOMAIN = (shared.contracts, shared.data, shared.drift, shared.forecasting, shared.sites)
SHOWN = {
    *("shared.sites.grid.Grid", "shared.sites.calendar.Calendar", "shared.sites.site.Site"),
    *("shared.forecasting.climatology.Climatology", "shared.forecasting.guard.Guard"),
    *("shared.forecasting.intervals.Intervals", "shared.forecasting.ladder.Ladder"),
    *("shared.forecasting.model.ZoneDemand", "shared.forecasting.resolution.Resolution"),
    *("shared.drift.detectors.AdaptiveWindow", "shared.drift.detectors.MeanShift", "shared.drift.episodes.Episodes"),
}
"""What a reader of the code meets first: each shows how it is used."""


def examples() -> dict[str, doctest.DocTest]:
    """Return the examples of all modules of the domain by the name of what they are of."""
    names = [name for room in DOMAIN for _, name, _ in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")]
    found = (test for name in names for test in doctest.DocTestFinder().find(importlib.import_module(name), name))
    return {test.name: test for test in found if test.examples}


EXAMPLES = examples()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_does_what_it_shows(name: str) -> None:
    """Its output is what stands below it."""
    assert doctest.DocTestRunner().run(EXAMPLES[name]).failed == 0


def test_the_domain_is_shown() -> None:
    """Each of its main classes has an example."""
    assert EXAMPLES.keys() >= SHOWN
