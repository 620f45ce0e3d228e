"""What a service imports: its start takes the time of that, and it holds the memory as long as it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

OF_FILES_AND_TRAINING = {"mlflow", "pandas", "pyarrow", "sklearn"}


@pytest.mark.parametrize(
    ("service", "needless"),
    [
        ("ingestor", {*OF_FILES_AND_TRAINING, "scipy", "river"}),
        ("forecaster", OF_FILES_AND_TRAINING),
        ("monitor", {*OF_FILES_AND_TRAINING, "scipy"}),
        ("gateway", {*OF_FILES_AND_TRAINING, "scipy", "river"}),
    ],
)
def test_a_service_imports_no_library_that_it_does_not_use(service: str, needless: set[str]) -> None:
    """Each of these takes seconds and 50 MB or more."""
    program = f"import sys, shared.runtime.service, services.{service}.app; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert needless & set(ran.stdout.split()) == set()
