"""Tables on a terminal, in a file and in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ["print_whole"]

WIDEST = 1000


def print_whole(console: Console, table: RenderableType) -> None:
    """Print a table so wide that none of its numbers is cut off, on a narrow terminal and in a pipe, too."""
    width = console.width
    console.width = max(width, console.measure(table, options=console.options.update(width=WIDEST)).minimum)
    console.print(table)
    console.width = width
