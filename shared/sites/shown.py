"""How a message shows a value that somebody has written."""

from __future__ import annotations

from datetime import date, time

__all__ = ["shown"]

LONGEST = 60  # characters


def shown(value: object) -> str:
    """Return the value as it stands in a TOML file, cut where it is long."""
    text = _written(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _written(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case date() | time():  # a datetime is a date, too
            return value.isoformat()
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {_written(held)}' for key, held in value.items())}}}"
        case _:
            return repr(value)
