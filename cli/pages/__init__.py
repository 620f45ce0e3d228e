"""The pages of the commands of the workbench: each stands by itself, and asks no other host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.training.reproduction import Reproduction

__all__ = ["page_of_reproductions"]


def page_of_reproductions(found: Sequence[Reproduction], data: str, *, synthetic: bool) -> str:
    """Return what came of reproductions as HTML."""
    page = _templates().get_template("reproduction.html")
    return page.render(title="Reproduction of registered models", found=found, data=data, synthetic=synthetic)


def _templates() -> Environment:
    loader = ChoiceLoader([FileSystemLoader(Path(__file__).parent), PackageLoader("backtest", "")])
    return Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
