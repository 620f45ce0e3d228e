"""Imports the modules of a process before its settings are known: ``python -m cli.early MODULE IMPORTED ...``.

The services of a demo take seconds to import, and their settings depend on data that take seconds to be read. So both
are done at once. One line on standard input is the order to begin: a JSON object of ``environment`` and ``arguments``.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["main", "order"]


def order(environment: Mapping[str, str], arguments: Sequence[str] = ()) -> bytes:
    """Return the line that lets a waiting process begin, with ``environment`` on top of its own."""
    return json.dumps({"environment": dict(environment), "arguments": list(arguments)}).encode() + b"\n"


def main() -> None:
    """Import, read the line with the settings, and run the module; exit 1 where standard input ends without a line."""
    module, *imported = sys.argv[1:]
    gc.disable()  # of what an import makes nothing is garbage, and the looks for it are a tenth of its time
    for name in imported:
        import_module(name)
    gc.freeze()
    gc.enable()
    line = sys.stdin.readline()
    if not line:
        sys.exit(1)
    told = json.loads(line)
    os.environ |= told["environment"]
    sys.argv = [module, *told["arguments"]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
