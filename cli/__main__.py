"""The `tetouan` command; each subcommand imports what it needs, so that `--help` is quick."""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from backtest.compare.algorithms import ALGORITHMS
from cli import __version__
from cli.options import with_hints
from cli.outputs import output_file, output_folder, picture_file, require_different, whole, whole_files
from cli.steps import STEPS
from cli.words import MOST_DAYS, at_least, line, moment, one_of, whole_number
from shared.data.hints import Hints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cli.settings import DemoSettings, HistorySettings

app = typer.Typer(
    name="tetouan",
    help="Real-time electricity demand forecasts for the zones of Tetouan, or of your own site, streamed over Kafka.",
    epilog=(
        "Settings are environment variables, listed in docs/reference.md: TETOUAN_SITES=FILE.toml TETOUAN_SITE=NAME "
        "TETOUAN_ZONES=1,2 for a site of your own."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(*, asked: bool) -> None:
    if asked:
        sys.stdout.write(f"tetouan {__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=lambda asked: _print_version(asked=asked), is_eager=True)
    ] = False,
) -> None:
    pass


Data = Annotated[
    str | None,
    typer.Option(
        help="A CSV or Parquet file, also packed with gzip or zip, or `synthetic`. What its site is like says "
        "TETOUAN_SITES, or is guessed and printed.",
        metavar="PATH",
    ),
]
AcceptRefused = Annotated[
    bool,
    typer.Option(
        "--accept-refused",
        help="Go on where more than 1 % of the rows are no readings, or the limits refuse most loads.",
    ),
]
PriorFile = Annotated[
    Path | None,
    typer.Option(
        help="Begin with what other zones have taught: a file of `tetouan train --prior` (default: TETOUAN_PRIOR).",
        metavar="FILE",
    ),
]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", parser=output_file, help="Write the result to this file.", metavar="FILE"),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", parser=output_file, help="Write the report to this file, one page.", metavar="FILE"),
]
Zone = Annotated[
    int | None,
    typer.Option(
        parser=whole_number(1, 10_000),
        help="The zone (default: the first of TETOUAN_ZONES, or of a guessed site).",
        metavar="NUMBER",
    ),
]
From = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        parser=moment,
        metavar="DATE",
        help="Time of the first reading, UTC (default: the start of the last 20 %).",
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option("--until", parser=moment, metavar="DATE", help="Time to end before, UTC."),
]
Days = Annotated[
    int | None,
    typer.Option(parser=whole_number(1, MOST_DAYS), help="How many days of readings.", metavar="NUMBER"),
]
Speed = Annotated[
    float,
    typer.Option(parser=at_least(0), help="Readings a second; 0 = as fast as it goes.", metavar="NUMBER"),
]


def _some_of(known: Mapping[str, str]) -> Callable[[str], frozenset[str]]:
    """Return what reads words between commas, each of them as `one_of` does."""
    read = one_of(known)
    return lambda text: frozenset(read(word.strip()) for word in text.split(","))


_STEPS = {step.name: step.name for step in STEPS}
_COMPARED = {key: key for key in (*(algorithm.key for algorithm in ALGORITHMS), "naive", "stream")}


def _named(*names: str) -> Any:
    """Return the argument that is one of some names."""
    return typer.Argument(parser=one_of(dict(zip(names, names, strict=True))), metavar="|".join(names))


@app.command()
@with_hints
def demo(
    hints: Hints,
    data: Data = None,
    days: Days = None,
    start: From = None,
    speed: Speed = 20.0,
    headless: Annotated[bool, typer.Option("--headless", help="Plain lines instead of a live view.")] = False,
    json_file: JsonFile = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            parser=picture_file, help="Write the last screen of the live view to this file.", metavar="FILE.svg"
        ),
    ] = None,
) -> None:
    """Run broker, services and replay on this machine, with Python alone; ends by itself with --days."""
    from shared.runtime.clock import monotonic_s

    started_s = monotonic_s()  # the imports are part of the wait
    from cli.processes import starting
    from cli.settings import DemoSettings
    from shared.runtime.settings import check_all, load

    check_all()
    console, settings = Console(stderr=True), load(DemoSettings)
    require_different({"--json": json_file, "--picture": picture}, _data_files(data, settings))
    with starting(settings, console) as processes:
        from cli.demo import DemoOptions, run_demo  # while the processes import what they need

        options = DemoOptions(
            data=data,
            days=days,
            start=start,
            rate_per_s=speed,
            headless=headless,
            json_file=json_file,
            picture=picture,
            started_s=started_s,
            hints=hints,
        )
        raise typer.Exit(run_demo(options, settings, processes, console))


@app.command()
def run(service: Annotated[str, _named("ingestor", "forecaster", "monitor", "gateway")]) -> None:
    """Run one service with the settings of the environment, until SIGTERM."""
    sys.stdout.flush()
    # the process becomes the service, so that signals reach it
    os.execv(sys.executable, [sys.executable, "-m", f"services.{service}"])  # noqa: S606 - our own interpreter


@app.command()
@with_hints
def replay(
    hints: Hints,
    data: Data = None,
    start: From = None,
    until: Until = None,
    days: Days = None,
    speed: Speed = 0.0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on after the newest clean reading, and stay up at the end.")
    ] = False,
    doubts: Annotated[
        bool, typer.Option("--doubts/--no-doubts", help="Say first what is doubtful in the data; takes a second.")
    ] = True,
    json_file: JsonFile = None,
) -> None:
    """Stream readings onto the raw topic, by default the last 20 % of the year."""
    from cli.provision import say_doubts, settled, year_for
    from cli.replaying import run_replay
    from cli.window import ReplayWindow
    from shared.runtime import logs

    settings, console = _settings_of_current_demo(), Console(stderr=True)
    require_different({"--json": json_file}, _data_files(data, settings))
    logs.configure("replay", settings.log_format, settings.log_level)
    settings, year = settled(data or settings.data, settings, console, hints)
    year = year or year_for(data or settings.data, settings, console, hints.dialect)
    if doubts:
        say_doubts(year, console)
    window = ReplayWindow(start, until, days, hints.dialect)
    result = run_replay(year, window, speed, settings, console, resume=resume)
    _write(json_file, result)


@app.command("data")
def find_data(
    data: Data = None,
    out_file: Annotated[
        Path | None,
        typer.Option("--out", parser=output_file, help="Copy the file to this one, byte for byte.", metavar="FILE"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Find the readings, download the published year where none are here, and print where the file is.

    A synthetic year does not stand in: where the published one cannot be had the command says why.
    """
    from cli.located import file_of, report_of
    from cli.provision import year_for
    from cli.settings import HistorySettings
    from shared.runtime.settings import load

    settings = load(HistorySettings)
    require_different({"--out": out_file, "--json": json_file}, _data_files(data, settings))
    chosen = data or settings.data
    year = year_for(chosen, settings, Console(stderr=True), Hints())
    file = file_of(year, chosen, settings)
    if out_file:
        with whole(out_file) as draft:
            draft.write_bytes(file.read_bytes())
    _write(json_file, report_of(year, file))
    sys.stdout.write(f"{file}\n")


@app.command()
@with_hints
def clean(
    hints: Hints,
    data: Data = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            parser=output_file,
            help="Write the clean readings to this file: CSV, or Parquet where its name ends in .parquet.",
            metavar="FILE",
        ),
    ] = None,
    rows_file: Annotated[
        Path | None,
        typer.Option(
            "--rows",
            parser=output_file,
            help="Write what became of each row to this file, CSV or Parquet.",
            metavar="FILE",
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Judge the rows of a file as the ingestor does: what passed, what was flagged or refused, and why.

    The file of --out has the columns and units of the file that was read: every command reads it, with the same
    options.
    """
    from cli.cleaning import CleanOptions, run_clean
    from cli.settings import HistorySettings
    from shared.runtime.settings import load

    settings = load(HistorySettings)
    require_different({"--out": out_file, "--rows": rows_file, "--json": json_file}, _data_files(data, settings))
    options = CleanOptions(data, hints, out_file, rows_file)
    _write(json_file, run_clean(options, settings, Console(stderr=True)))


@app.command()
def watch(
    topic: Annotated[str, _named("forecasts", "readings", "rejected", "drift")],
    json_lines: Annotated[bool, typer.Option("--json", help="The messages as they are, one a line.")] = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest message kept.")] = False,
    count: Annotated[
        int | None,
        typer.Option(parser=whole_number(1, 10**12), help="End after so many messages.", metavar="NUMBER"),
    ] = None,
) -> None:
    """Subscribe to a topic and print one line a message."""
    from itertools import islice

    from cli.printing import until_nobody_reads
    from cli.watching import WATCHED
    from cli.watching import watch as lines

    settings = _settings_of_current_demo()
    name = settings.topic_prefix + WATCHED[topic].name
    sys.stderr.write(f"listening to {name} at {settings.kafka_bootstrap}; times are UTC; Ctrl-C ends\n")
    messages = lines(settings, WATCHED[topic], as_json=json_lines, from_start=from_start)
    with until_nobody_reads():
        for line in islice(messages, count):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


@app.command()
def topics() -> None:
    """Make the topics that are missing, and say what is wrong with the others."""
    from confluent_kafka import KafkaException

    from shared.runtime.administration import find_topics
    from shared.runtime.diagnosis import NoAccessError, explain
    from shared.runtime.settings import Refused

    settings = _settings_of_current_demo()
    try:
        found = find_topics(settings.kafka, settings.topic_prefix, partitions=settings.partitions)
    except (KafkaException, NoAccessError) as error:
        raise Refused(explain(settings.kafka, error)) from None
    sys.stdout.write("".join(f"made {name}\n" for name in found.made) or "all topics are there\n")
    sys.stderr.write("".join(f"{complaint}\n" for complaint in found.complaints))


@app.command()
def doctor(
    json_object: Annotated[bool, typer.Option("--json", help="The findings as one JSON object.")] = False,
) -> None:
    """Look at packages, disk, ports, data, Kafka, registry, clock and Docker; exit 1 where something is wrong."""
    from cli.doctor import examined, report, show

    found = examined(_settings_of_all, os.environ, Console(stderr=True))
    told = report(found)
    if json_object:
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        show(found, Console())
    raise typer.Exit(0 if told["well"] else 1)


keys = typer.Typer(help="The API keys of the gateway: kept in its database, as hashes.", no_args_is_help=True)
app.add_typer(keys, name="keys")


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose key it is, such as `dashboard`; a name is never used again.")],
) -> None:
    """Make a key and print it, this once: from then on the gateway asks everybody for one."""
    from cli.api_keys import key_store

    with key_store(makes=True) as store:
        sys.stdout.write(store.create(name) + "\n")
    sys.stderr.write("it is shown this once: keep it, and send it as `Authorization: Bearer KEY`\n")


@keys.command("list")
def list_keys(
    json_object: Annotated[bool, typer.Option("--json", help="The keys as one JSON object.")] = False,
) -> None:
    """List the names of the keys, when each was made, and when it was revoked; the keys themselves are not kept."""
    from cli.api_keys import key_store, key_table, told

    with key_store() as store:
        known = store.listed()
    if json_object:
        sys.stdout.write(json.dumps(told(known), indent=1) + "\n")
    else:
        Console().print(key_table(known) if known else "there are no keys: `tetouan keys create NAME` makes one")


@keys.command()
def revoke(name: Annotated[str, typer.Argument(help="The name of the key.")]) -> None:
    """Revoke a key for good: within two seconds it opens nothing any more."""
    from cli.api_keys import key_store

    with key_store() as store:
        store.revoke(name)
    sys.stdout.write(f"{name} is revoked\n")


models = typer.Typer(
    help="The registered models: their versions, and which of them are to run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(models, name="models")

ModelName = Annotated[
    str, typer.Argument(help="A registered model, such as zone-demand-tetouan-2.", metavar="NAME", show_default=False)
]
Reason = Annotated[
    str | None,
    typer.Option(parser=line, help="Why: kept with the version and told to the forecasters.", metavar="TEXT"),
]


@models.command("list")
def list_models(
    json_object: Annotated[bool, typer.Option("--json", help="The versions as one JSON object.")] = False,
) -> None:
    """List all versions of all models: aliases, what they were trained on, score, and when they were registered."""
    from cli.models import listed, opened, told, version_table
    from cli.printing import print_whole
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    versions = listed(opened(load(CommandSettings), Console(stderr=True)))
    if json_object:
        sys.stdout.write(json.dumps({"models": [told(version) for version in versions]}, indent=1) + "\n")
    else:
        print_whole(Console(), version_table(versions))


@models.command()
def compare(
    one: Annotated[str, typer.Argument(help="NAME/VERSION: a number, champion, challenger or previous.", metavar="A")],
    other: Annotated[str, typer.Argument(help="The same; without NAME/ of the same model.", metavar="B")],
    json_object: Annotated[bool, typer.Option("--json", help="The comparison as one JSON object.")] = False,
) -> None:
    """Show the parameters, metrics and tags in which two versions differ, side by side."""
    from cli.models import Comparison, comparison_table, labelled_version, opened
    from cli.printing import print_whole
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    registry = opened(load(CommandSettings), Console(stderr=True))
    first = labelled_version(registry, one)
    found = Comparison(first, labelled_version(registry, other, first.name))
    if json_object:
        sys.stdout.write(json.dumps(found.to_json(), indent=1) + "\n")
    else:
        print_whole(Console(), comparison_table(found))


@models.command("verify")
def verify_models(json_file: JsonFile = None) -> None:
    """Check the champions of the zones: files, record, what they forecast, scores; exit 1 where one is not usable."""
    from cli.settings import CommandSettings
    from cli.verifying import run_verify
    from shared.runtime.settings import load

    result = run_verify(load(CommandSettings), Console(stderr=True))
    _write(json_file, result)
    raise typer.Exit(0 if result["well"] else 1)


@models.command()
def card(
    version: Annotated[str, typer.Argument(help="NAME/VERSION, as `compare` takes it.", metavar="NAME/VERSION")],
    result: Annotated[
        Path | None,
        typer.Option(
            "--backtest",
            help="A file of `tetouan backtest --json` of the same data: figures by season.",
            metavar="FILE",
        ),
    ] = None,
    card_file: Annotated[
        Path | None,
        typer.Option("--md", parser=output_file, help="Write it to this file and not to the terminal.", metavar="FILE"),
    ] = None,
) -> None:
    """Write the card of a version in Markdown: what it is for, what it cannot know, how good it was, on what data."""
    from cli.models import card_of, labelled_version, opened
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    require_different({"--md": card_file}, {"--backtest": result})
    text = card_of(labelled_version(opened(load(CommandSettings), Console(stderr=True)), version), result)
    if card_file is None:
        sys.stdout.write(text)
    else:
        with whole(card_file) as draft:
            draft.write_text(text, encoding="utf-8")


@models.command()
def promote(
    name: ModelName,
    version: Annotated[str, typer.Argument(help="A number, or `challenger`.", metavar="VERSION")],
    force: Annotated[bool, typer.Option("--force", help="Whatever its score is; with --reason.")] = False,
    reason: Reason = None,
) -> None:
    """Make a version the champion where its score on the same readings is better, and tell running forecasters."""
    from cli.promoting import run_promote
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    if force != (reason is not None):
        raise typer.BadParameter("--force and --reason go together: give both, or neither")
    lines = run_promote(name, version, reason, load(CommandSettings), Console(stderr=True))
    sys.stdout.write("".join(f"{line}\n" for line in lines))


@models.command()
def rollback(name: ModelName, reason: Reason = None) -> None:
    """Make the champion before this one the champion again, and tell running forecasters.

    The other model of the zone goes back too where one training has made both champions.
    """
    from cli.promoting import run_rollback
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    lines = run_rollback(name, reason, load(CommandSettings), Console(stderr=True))
    sys.stdout.write("".join(f"{line}\n" for line in lines))


@app.command()
def mlflow(
    port: Annotated[
        int, typer.Option(parser=whole_number(1, 65_535), help="Where the page listens.", metavar="NUMBER")
    ] = 5000,
) -> None:
    """Open MLflow's own page on the registry in force, on this machine alone, until Ctrl-C."""
    from cli.mlflow_page import run_mlflow
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    run_mlflow(port, load(CommandSettings))


@app.command()
def schemas(
    out: Annotated[Path, typer.Option(help="The folder to write to.", metavar="FOLDER")] = Path("docs/schemas"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 where a file differs.")] = False,
) -> None:
    """Write the JSON Schema of every message, and the AsyncAPI document of the topics."""
    from cli.schemas import complaints, schema_texts
    from shared.runtime.settings import Refused
    from shared.sites.table import site

    texts = schema_texts(site("tetouan"))
    if check:
        if not out.is_dir():
            raise Refused(
                f"there is no folder {out} to check: run this in a clone of the project, or name one with --out"
            )
        wrong = complaints(out, texts)
        sys.stdout.write("" if wrong else f"all {len(texts)} files in {out} are as the code says\n")
        sys.stderr.write("".join(f"{line}\n" for line in wrong))
        raise typer.Exit(1 if wrong else 0)
    with whole_files(output_folder(str(out))) as drafts:
        for name, text in texts.items():
            (drafts / name).write_text(text, encoding="utf-8", newline="\n")
    sys.stdout.write("".join(f"wrote {out / name}\n" for name in texts))


@app.command()
@with_hints
def train(
    hints: Hints,
    data: Data = None,
    until: Until = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="Do nothing where the champions have seen just these readings.")
    ] = False,
    accept_refused: AcceptRefused = False,
    prior: Annotated[
        Path | None,
        typer.Option(
            parser=output_file,
            help="Write a prior for new sites to this file, and register nothing. It is trained on TETOUAN_ZONES "
            "(default: the zones of the site's table, or all columns of load).",
            metavar="FILE",
        ),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Fit the batch models on the readings before --until (default: the first 80 %), score, register, promote."""
    from cli.provision import settled
    from cli.settings import CommandSettings
    from cli.training import TrainOptions, run_train, run_train_prior
    from shared.runtime.settings import load

    console, settings = Console(stderr=True), load(CommandSettings)
    require_different({"--prior": prior, "--json": json_file}, _data_files(data, settings))
    if prior:
        options = TrainOptions(data, until, hints, if_missing=if_missing, accept_refused=accept_refused)
        result = run_train_prior(options, prior, settings, console)
    else:
        settings, year = settled(data or settings.data, settings, console, hints)
        options = TrainOptions(data, until, hints.dialect, if_missing=if_missing, accept_refused=accept_refused)
        result = run_train(options, settings, console, year)
    _write(json_file, result)


@app.command()
@with_hints
def reproduce(
    hints: Hints,
    versions: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME/VERSION: a number, champion, challenger or previous (default: the champions of the first zone).",
            metavar="[NAME/VERSION]...",
        ),
    ] = None,
    data: Data = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
) -> None:
    """Train registered versions again in a process of its own, and compare; exit 1 where something differs.

    Nothing is registered. Readings, parameters, constants, sizes, files and scores are compared. On the machine and
    with the libraries that a version was trained with no difference is allowed.
    """
    from cli.reproducing import ReproduceOptions, run_reproduce
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    settings = load(CommandSettings)
    require_different({"--json": json_file, "--html": html_file}, _data_files(data, settings))
    options = ReproduceOptions(tuple(versions or ()), data, hints, html_file)
    result = run_reproduce(options, settings, Console(stderr=True))
    _write(json_file, result)
    raise typer.Exit(0 if result["reproduced"] else 1)


@app.command()
def pipeline(
    data: Data = None,
    folder: Annotated[
        Path | None,
        typer.Option(
            parser=output_folder,
            help="Where the results lie (default: `pipeline` in the state folder).",
            metavar="FOLDER",
        ),
    ] = None,
    only: Annotated[
        frozenset[str] | None,
        typer.Option(parser=_some_of(_STEPS), help=f"These steps alone, between commas: {', '.join(_STEPS)}."),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", parser=one_of(_STEPS), help="Begin with this step; those before it stay as they are."),
    ] = None,
    compared: Annotated[
        frozenset[str] | None,
        typer.Option(
            "--compare",
            parser=_some_of(_COMPARED),
            help=f"The algorithms to compare, between commas (default: all): {', '.join(_COMPARED)}.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be run, and run nothing.")] = False,
    json_file: JsonFile = None,
) -> None:
    """Run all steps from the readings to a report, each a command of its own; exit 1 where one has failed.

    A step whose inputs have not changed (data, parameters, code, libraries) is not run again, so that an interrupted
    run goes on where it was.
    """
    from cli.pipeline import PipelineOptions, run_pipeline
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    settings = load(CommandSettings)
    names = ",".join(key for key in _COMPARED if key in compared) if compared else None
    options = PipelineOptions(folder or settings.state_dir / "pipeline", data, only or frozenset(), first, names)
    result = run_pipeline(options, settings, Console(stderr=True), dry_run=dry_run)
    _write(json_file, result)
    raise typer.Exit(0 if result["well"] else 1)


@app.command()
@with_hints
def backtest(
    hints: Hints,
    data: Data = None,
    zone: Zone = None,
    start: From = None,
    until: Until = None,
    json_file: JsonFile = None,
    csv_folder: Annotated[
        Path | None,
        typer.Option("--csv", parser=output_folder, help="Write the tables to this folder.", metavar="FOLDER"),
    ] = None,
    html_file: HtmlFile = None,
    accept_refused: AcceptRefused = False,
    prior: PriorFile = None,
) -> None:
    """Run the forecaster over history as it runs on the stream, and score each lead; needs no registry.

    MAPE is - where a load is zero, at most 1 % of the median, or on the other side of zero.
    """
    from backtest.result import TABLES
    from cli.backtesting import BacktestReports, run_backtest
    from cli.settings import HistorySettings
    from cli.window import ReplayWindow
    from shared.runtime.settings import load

    settings, console = load(HistorySettings), Console(stderr=True)
    tables = {f"--csv ({name}.csv)": csv_folder / f"{name}.csv" for name in TABLES} if csv_folder else {}
    written = {"--json": json_file, "--html": html_file, **tables}
    require_different(written, _data_files(data, settings), _prior_files(prior, settings))
    window, reports = ReplayWindow(start, until, None, hints), BacktestReports(csv_folder, html_file)
    result = run_backtest(data, zone, window, reports, settings, console, accept_refused=accept_refused, prior=prior)
    _write(json_file, result)


@app.command()
@with_hints
def forecast(
    hints: Hints,
    data: Data = None,
    zone: Zone = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", parser=output_file, help="Write every lead to this file.", metavar="FILE")
    ] = None,
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    accept_refused: AcceptRefused = False,
    prior: PriorFile = None,
) -> None:
    """Forecast the 24 hours after the end of a file; needs no Kafka and no registry."""
    from cli.forecasting import ForecastOptions, run_forecast
    from cli.settings import HistorySettings
    from shared.runtime.settings import load

    settings = load(HistorySettings)
    written = {"--csv": csv_file, "--json": json_file, "--html": html_file}
    require_different(written, _data_files(data, settings), _prior_files(prior, settings))
    options = ForecastOptions(data, zone, hints, csv_file, html_file, accept_refused, prior)
    _write(json_file, run_forecast(options, settings, Console(stderr=True)))


@app.command()
@with_hints
def eda(
    hints: Hints,
    data: Data = None,
    html_file: HtmlFile = None,
    json_file: JsonFile = None,
    card_file: Annotated[
        Path | None,
        typer.Option("--card", parser=output_file, help="Write a data card in Markdown to this file.", metavar="FILE"),
    ] = None,
) -> None:
    """Say what a file of readings holds, before anything is fitted on it: gaps, patterns, changes, doubts."""
    from cli.exploring import ExplorationOptions, run_exploration
    from cli.settings import HistorySettings
    from shared.runtime.settings import load

    settings = load(HistorySettings)
    written = {"--html": html_file, "--json": json_file, "--card": card_file}
    require_different(written, _data_files(data, settings))
    options = ExplorationOptions(data, hints, html_file, card_file)
    _write(json_file, run_exploration(options, settings, Console(stderr=True)))


@app.command()
def monthly(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Files of `tetouan backtest --json`, one a zone.", metavar="RESULT.json", show_default=False
        ),
    ],
    html_file: HtmlFile = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", parser=output_file, help="Write the table to this file.", metavar="FILE")
    ] = None,
) -> None:
    """Show the accuracy of each month, from results of backtests: MAPE, RMSE, bias, coverage, beside two rules."""
    from cli.monthly import run_monthly

    read = {f"RESULT.json ({place})": file for place, file in enumerate(results, 1)}
    require_different({"--html": html_file, "--csv": csv_file}, dict(read))
    run_monthly(results, html_file, csv_file)


@app.command("compare")
@with_hints
def compare_algorithms(
    hints: Hints,
    data: Data = None,
    zone: Zone = None,
    only: Annotated[
        frozenset[str] | None,
        typer.Option(
            parser=_some_of(_COMPARED),
            help=f"These alone, between commas: {', '.join(_COMPARED)}.",
            metavar="NAMES",
        ),
    ] = None,
    json_file: JsonFile = None,
    csv_file: Annotated[
        Path | None,
        typer.Option("--csv", parser=output_file, help="Write every result to this file.", metavar="FILE"),
    ] = None,
    html_file: HtmlFile = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help="Also score rolling origins, random splits (a leak), and the test in weather 5 °C warmer."
        ),
    ] = False,
    accept_refused: AcceptRefused = False,
) -> None:
    """Compare the stream with other algorithms and naive rules on the last 20 % of the readings.

    The other algorithms know the weather of the hour that they speak of, and no load; the stream and the rules know the
    load up to the origin, and no weather. Each model is kept as a run in MLflow.
    """
    from backtest.compare.comparison import Asked
    from cli.comparing import CompareOptions, run_compare
    from cli.settings import CommandSettings
    from shared.runtime.settings import load

    settings = load(CommandSettings)
    written = {"--json": json_file, "--csv": csv_file, "--html": html_file}
    require_different(written, _data_files(data, settings))
    asked = Asked(only or frozenset(), full=full, accept_refused=accept_refused)
    options = CompareOptions(data, zone, hints, asked, csv_file, html_file)
    _write(json_file, run_compare(options, settings, Console(stderr=True)))


history = typer.Typer(
    help="What the gateway keeps: readings, forecasts, scores, events.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(history, name="history")


@history.command()
def export(
    parquet: Annotated[
        Path, typer.Option(parser=output_folder, help="The folder to write the files to.", metavar="FOLDER")
    ],
    site: Annotated[str | None, typer.Option(help="Of this site alone.", metavar="NAME")] = None,
    start: Annotated[
        datetime | None,
        typer.Option("--from", parser=moment, metavar="DATE", help="Time of the first row, UTC (default: the first)."),
    ] = None,
    until: Until = None,
) -> None:
    """Write the history to Parquet files, one a table, for pandas and DuckDB."""
    from cli.exporting import run_export

    sys.stdout.write("".join(f"{line}\n" for line in run_export(parquet, site, start, until)))


def _settings_of_current_demo() -> DemoSettings:
    """Return the settings, with the broker of a running demo where the environment says nothing of Kafka."""
    from cli.runs import current
    from cli.settings import DemoSettings
    from shared.runtime.settings import PREFIX, load

    settings = load(DemoSettings)
    running = current(settings.state_dir)
    if running is None or any(name.startswith(PREFIX + "KAFKA_") for name in os.environ):
        return settings
    return load(
        DemoSettings,
        kafka_bootstrap=running["kafka_bootstrap"],
        topic_prefix="",
        data=settings.data or running["data"],
    )


def _settings_of_all() -> DemoSettings:
    """Check the settings of every service, and return those of the running demo; raises ``Refused``."""
    from shared.runtime.settings import check_all

    check_all()
    return _settings_of_current_demo()


def _data_files(data: str | None, settings: HistorySettings) -> dict[str, Path | None]:
    """Return the file of readings that a command reads, by what names it: no output may be the same file."""
    named = {"--data": data, "TETOUAN_DATA": settings.data if data is None else None}
    return {name: None if file in (None, "synthetic") else Path(file) for name, file in named.items()}


def _prior_files(prior: Path | None, settings: HistorySettings) -> dict[str, Path | None]:
    """Return the prior that a command reads, by what names it."""
    return {"--prior": prior, "TETOUAN_PRIOR": settings.prior if prior is None else None}


def _write(file: Path | None, result: dict[str, object]) -> None:
    if file is not None:
        with whole(file) as draft:
            draft.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run the command: exit code 2 and one line where something that was asked for cannot be done."""
    for library in ("OPENBLAS", "OMP", "MKL"):  # read when numpy is imported: small matrices gain nothing from threads
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from cli.printing import written_out
    from shared.runtime.settings import Refused, unknown_variables

    if sys.argv[1:2] != ["run"]:  # a service logs them
        sys.stderr.write("".join(f"tetouan: {line}\n" for line in unknown_variables()))
    try:
        with written_out():
            app()
    except Refused as refusal:
        sys.stderr.write(f"tetouan: {refusal}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
