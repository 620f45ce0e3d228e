"""Reads the words of a command line: numbers, dates and names, each refused in one line that says what to give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from shared.sites.likeness import closest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["MOST_DAYS", "at_least", "line", "moment", "one_of", "whole_number"]

MOST_DAYS = 36_525
"""A hundred years: what calendars and memories bear."""

LONGEST_LINE = 500  # characters

SHORT = 3  # letters: a word of so few is like too many others


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number from ``least`` to ``most``."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise typer.BadParameter(f"{text!r}: give a whole number from {least} to {most}")
        return number

    return read


def at_least(least: float) -> Callable[[str], float]:
    """Return what reads a number that is not below ``least``."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = least - 1.0
        if not number >= least:  # nor is it no number
            raise typer.BadParameter(f"{text!r}: give a number from {least:g} on")
        return number

    return read


def line(text: str) -> str:
    """Return a text of one line that says something."""
    words = " ".join(text.split())
    if not words or len(words) > LONGEST_LINE or not words.isprintable():
        raise typer.BadParameter(f"give a line of text, {LONGEST_LINE} characters at most")
    return words


def moment(text: str) -> datetime:
    """Return an aware time in UTC, which a date without an offset is taken for."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no date: give one such as 2017-10-19 or 2017-10-19T04:40") from None


def one_of(known: Mapping[str, str]) -> Callable[[str], str]:
    """Return what reads a word, or what it stands for."""

    def read(text: str) -> str:
        for word, meant in known.items():
            if text in (word, meant):
                return meant
        like = closest(text, known) if len(text) > SHORT else None
        hint = f"did you mean {like}? Choose" if like else "choose"
        raise typer.BadParameter(f"{text!r}: {hint} one of {', '.join(known)}")

    return read
