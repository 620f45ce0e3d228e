"""The stages of DVC: `python -m deploy.stages` writes ``dvc.yaml`` and ``params.yaml`` from the steps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cli.steps import PARAMETERS, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.steps import WorkbenchStep

__all__ = ["FILES", "params_text", "stages_text"]

ROOT = Path(__file__).parents[1]
FOLDER = ".tetouan/pipeline"
CODE = ("backtest", "cli", "services", "shared")
"""What the commands run: a stage runs again where it has changed."""
MEASURED = ("backtest.json", "clean.json")
"""The results whose numbers `dvc metrics` compares."""
HEAD = "# Written from cli/steps.py by `python -m deploy.stages`; a test holds both together."


def stages_text() -> str:
    """Return ``dvc.yaml``."""
    stages = (line for step in STEPS if step.stage for line in _stage(step))
    return "\n".join((HEAD, "stages:", *stages, "plots:", *_plots(), ""))


def params_text() -> str:
    """Return ``params.yaml``."""
    return "\n".join((HEAD, *(f"{name}: {value}" for name, value in PARAMETERS.items()), ""))


def _stage(step: WorkbenchStep) -> Iterator[str]:
    made = f"mkdir -p {FOLDER} && " if not step.reads else ""  # nothing was written there before
    command = made + " ".join(("tetouan", *step.words(FOLDER, {name: f"${{{name}}}" for name in PARAMETERS})))
    written = dict.fromkeys((step.result, *step.writes))
    yield f"  {step.stage}:"
    yield f"    desc: {step.does}"
    yield f"    cmd: {command}"
    if step.outside:  # it looks at what DVC does not see: where the readings come from, or the registry
        yield "    always_changed: true"
    yield from _listed("deps", (*CODE, *(f"{FOLDER}/{file}" for file in step.reads)))
    yield from _listed("params", step.parameters)
    yield from _listed("outs", (f"{FOLDER}/{file}" for file in written if file not in MEASURED))
    yield from _listed("metrics", (f"{FOLDER}/{file}" for file in written if file in MEASURED))


def _listed(name: str, items: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    lines = [f"    - {item}" for item in items]
    yield from (f"    {name}:", *lines) if lines else ()


def _plots() -> Iterator[str]:
    for step in STEPS:
        for plot in step.plots:
            yield f"- {plot.y} by {plot.x}:"
            yield f"    x: {plot.x}"
            yield "    y:"
            yield f"      {FOLDER}/{plot.file}: {plot.y}"


FILES = {ROOT / "dvc.yaml": stages_text, ROOT / "params.yaml": params_text}
"""The files, and what writes each."""


if __name__ == "__main__":
    for file, text in FILES.items():
        file.write_text(text(), encoding="utf-8")
