"""Where console commands write: a terminal as wide as it is, or a pipe whose lines nobody breaks."""

import os
import sys
from typing import TextIO

from rich.console import Console

# Tables in a pipe take the width they need, so that each row stays one line for the next program.
_PIPE_WIDTH = 1000


def screen(stream: TextIO | None = None) -> Console:
    """Return the console of `stream`, standard output by default; COLUMNS sets its width, as everywhere."""
    stream = stream or sys.stdout
    measured = stream.isatty() or "COLUMNS" in os.environ
    return Console(file=stream, width=None if measured else _PIPE_WIDTH, highlight=False, markup=False, emoji=False)


def printable(text: str) -> str:
    """Return `text` with everything escaped that would move the cursor or colour the terminal of who reads it."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
