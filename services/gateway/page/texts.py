"""All texts of the page, which stand in ``texts.toml`` beside this module."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LANGUAGES", "Language", "texts"]

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


@cache
def texts() -> Mapping[str, Mapping[Language, str]]:
    """Return the texts by key and language."""
    return tomllib.loads(files(__package__).joinpath("texts.toml").read_text(encoding="utf-8"))
