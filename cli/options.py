"""What a user can say about a file, as options of each command that reads one."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli.words import one_of
from shared.data.hints import SEPARATORS, Hints
from shared.sites.site import STEPS_MINUTES, Kind, Unit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["with_hints"]

MARKS = {"point": ".", "comma": ","}


def _words(*known: str) -> Callable[[str], str]:
    return one_of(dict(zip(known, known, strict=True)))


def _hints(  # noqa: PLR0913, PLR0917 - each is an option, and typer names it
    time_column: Annotated[str | None, typer.Option(help="The column of the times.", metavar="NAME")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column", help="A column of load, zone 1 the first; may be given several times.", metavar="NAME"
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            parser=_words(*get_args(Unit)),
            help="Of the loads: W, kW, MW, or Wh, kWh, MWh.",
            metavar="UNIT",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            parser=_words(*get_args(Kind)),
            help="What the loads are: power, energy (of each interval), register.",
            metavar="KIND",
        ),
    ] = None,
    step: Annotated[
        str | None,
        typer.Option(
            parser=_words(*map(str, STEPS_MINUTES)), help="Minutes from one reading to the next.", metavar="MINUTES"
        ),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="Of times without an offset, such as Europe/Madrid.", metavar="ZONE")
    ] = None,
    country: Annotated[
        str | None, typer.Option(help="Whose public holidays count, such as ES.", metavar="CODE")
    ] = None,
    day_first: Annotated[
        bool | None, typer.Option("--day-first/--month-first", help="How dates like 3/4/2019 are written.")
    ] = None,
    separator: Annotated[
        str | None,
        typer.Option(
            parser=one_of({word: mark for mark, word in SEPARATORS.items()}),
            help="Between two cells: comma, semicolon, tab, pipe.",
            metavar="WORD",
        ),
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(parser=one_of(MARKS), help="Before the decimals: point or comma.", metavar="WORD")
    ] = None,
) -> Hints:
    return Hints(
        separator=separator,
        decimal=decimal,  # type: ignore[arg-type]  # the parsers let nothing else through
        time_column=time_column,
        columns=tuple(columns or ()),
        time_zone=time_zone,
        country=country,
        day_first=day_first,
        step_minutes=int(step) if step else None,  # type: ignore[arg-type]  # as above
        unit=unit,  # type: ignore[arg-type]  # as above
        kind=kind,  # type: ignore[arg-type]  # as above
    )


def with_hints(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command these options; it takes what they come to as ``hints``."""
    own = inspect.signature(command, eval_str=True).parameters
    asked = inspect.signature(_hints, eval_str=True).parameters

    def with_options(**given: Any) -> None:
        hints = _hints(**{name: given.pop(name) for name in asked})
        command(hints=hints, **given)

    named = [parameter for name, parameter in own.items() if name != "hints"] + list(asked.values())
    options = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in named]
    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    with_options.__annotations__ = {option.name: option.annotation for option in options}
    with_options.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # what typer reads
    return with_options
