"""The page of settings and metrics says what the code has."""

from __future__ import annotations

import re

from deploy.exposition import SERVICES, declared_in
from deploy.reference import FILE, reference
from shared.runtime.settings import PREFIX, names

PAGE = reference()


def test_the_page_is_that_of_the_code() -> None:
    """After a change of a setting or metric: python -m deploy.reference."""
    assert FILE.read_text(encoding="utf-8") == PAGE


def test_every_setting_has_one_row_that_says_what_it_means() -> None:
    """Beside them stand those of the tests alone."""
    rows = dict(re.findall(r"^\| `(TETOUAN_[A-Z_]+)` \|[^|]*\| ([^|]+) \|$", PAGE, re.MULTILINE))
    of_tests = {PREFIX + "TEST_KAFKA", PREFIX + "TEST_KAFKA_SCRIPT", PREFIX + "TEST_POSTGRES"}
    assert rows.keys() == {PREFIX + name.upper() for name in names()} | of_tests
    assert not [name for name, meaning in rows.items() if len(meaning) < len("a word or two")]


def test_every_metric_has_one_row() -> None:
    """Those that all services have are named once."""
    rows = re.findall(r"^\| `(tetouan_[a-z0-9_]+)`", PAGE, re.MULTILINE)
    declared = {family.name for service in SERVICES for family in declared_in(service).collect()}
    assert sorted(name.removesuffix("_total") for name in rows) == sorted(declared)
