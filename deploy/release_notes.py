"""What the change log says of a release: ``python -m deploy.release_notes v1.2.3``.

It ends with 1 and one line where the tag is not the version in ``pyproject.toml``, or the change log has no section of
it: a release says what it is and what has changed.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

__all__ = ["NoNotesError", "main", "notes"]

ROOT = Path(__file__).parents[1]


class NoNotesError(Exception):
    """The tag cannot be released; the text says what to do first."""


def notes(tag: str, version: str, changes: str) -> str:
    """Return the section of a release, without its heading; raises ``NoNotesError``.

    Parameters
    ----------
    version
        That of the code.
    changes
        The text of the change log.
    """
    if tag != f"v{version}":
        raise NoNotesError(
            f"the tag is {tag} and the code is version {version}: tag v{version}, or change pyproject.toml"
        )
    _, found, after = changes.partition(f"\n## [{version}]")
    section = after.partition("\n## [")[0].partition("\n")[2].strip()
    if not found or not section:
        raise NoNotesError(f"CHANGELOG.md says nothing of {version}: give [Unreleased] this number and its date")
    return section


def main() -> None:
    """Print the notes of the tag that is named."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    try:
        sys.stdout.write(notes(sys.argv[1], version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) + "\n")
    except NoNotesError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
