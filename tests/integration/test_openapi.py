"""The gateway does what its OpenAPI document says: a sample of `python -m tests.integration.openapi`."""

from __future__ import annotations

import pytest

from tests.integration.openapi import examine


@pytest.mark.slow
def test_what_the_document_permits_is_answered_and_nothing_else() -> None:
    """No check of Schemathesis fails: answers fit the document, and what it does not permit is refused."""
    outcome = examine(2, "--generation-deterministic")
    assert outcome.code == 0, outcome.said
    assert outcome.cases > 300
