"""Keys of a terminal."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

import pytest

from cli.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterator

pty = pytest.importorskip("pty", reason="terminals of POSIX")


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """The two ends of a terminal: who types, and the program."""
    typing, program = pty.openpty()
    yield typing, program
    os.close(typing)
    os.close(program)


def test_a_key_is_read_without_the_return_key(terminal: tuple[int, int]) -> None:
    """What nobody has pressed is not waited for; afterwards the terminal is as it was."""
    termios = pytest.importorskip("termios", reason="terminals of POSIX")
    typing, program = terminal
    before = termios.tcgetattr(program)
    keys = Keys(program)
    keys.open()
    assert keys.pressed() == ""
    os.write(typing, b"z2")
    assert select.select([program], [], [], 10)[0]
    assert keys.pressed() == "z2"
    keys.close()
    assert termios.tcgetattr(program) == before
    assert keys.pressed() == ""


def test_where_there_is_no_terminal_there_are_no_keys() -> None:
    """A pipe is none."""
    reading, writing = os.pipe()
    os.write(writing, b"z")
    keys = Keys(reading)
    keys.open()
    assert keys.pressed() == ""
    keys.close()
    os.close(reading)
    os.close(writing)
