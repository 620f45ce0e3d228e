"""One meaning a name: no public class of ours is called as another one is."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("backtest", "benchmarks", "cli", "deploy", "harness", "replay", "services", "shared")


def test_no_public_class_has_the_name_of_another() -> None:
    """Call each one what it is: a reader who searches for a name finds one class.

    The examples are not looked at: they stand alone, and name messages as these are called.
    """
    places = defaultdict(list)
    for file in sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert places
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
