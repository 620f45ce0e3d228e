"""The pages of the commands of the workbench: each stands by itself, and asks no other host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.training.reproduction import Reproduction

__all__ = ["page_of_pipeline", "page_of_reproductions"]


def page_of_reproductions(found: Sequence[Reproduction], data: str, *, synthetic: bool) -> str:
    """Return what came of reproductions as HTML."""
    page = _templates().get_template("reproduction.html")
    return page.render(title="Reproduction of registered models", found=found, data=data, synthetic=synthetic)


def page_of_pipeline(steps: Mapping[str, Mapping[str, Any]], data: Mapping[str, Any]) -> str:
    """Return what came of the steps of a pipeline as HTML, with links to their files; ``data`` tells the readings."""
    return _templates().get_template("pipeline.html").render(title="The workbench", steps=steps, data=data)


def _templates() -> Environment:
    loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent), PackageLoader("backtest", "")])
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
