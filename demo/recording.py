"""The story in a real terminal, as an SVG that moves: `make recording` takes it anew for the README.

The command runs in a pseudo-terminal; pyte, a terminal emulator, makes screens of its bytes.
"""

import os
import pty
import re
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from xml.sax.saxutils import escape

import pyte  # type: ignore[import-not-found]  # `make recording` brings it; nothing else needs it

from demo.moving_svg import CELL, Lines, to_svg

COLUMNS, ROWS = 92, 30
"""Wide enough for the bar's whole line, high enough for the end of the story; both fit a README."""
FRAME_SECONDS = 0.2
"""Five screens a second: a bar moves smoothly enough, and the file stays below 300 KB."""
END_SECONDS = 10.0
"""The last screen stays as long as it takes to read."""
READ_BYTES_MAX = 65_536
COLOURS = {
    "red": "#ff7b72",
    "green": "#56d364",
    "brown": "#e3b341",
    "cyan": "#56d4dd",
    "brightblack": "#8b949e",
    "default": "#e6edf3",
}
WORDS = re.compile(r"\S+(?: \S+)*")
"""SVG makes one blank of many."""


class Terminal(pyte.Screen):  # type: ignore[misc]  # as above
    """A screen on which faint text, which pyte does not know, is grey."""

    def select_graphic_rendition(self, *attributes: int, **options: bool) -> None:
        """Change how what follows looks; where 2 comes first it means faint."""
        faint = attributes[:1] == (2,)
        super().select_graphic_rendition(*((90, *attributes[1:]) if faint else attributes), **options)

    def drawn(self) -> Lines:
        """Return each line as SVG."""
        return tuple(self._line(row) for row in range(ROWS))

    def _line(self, row: int) -> str:
        cells = [(column, self.buffer[row][column]) for column in range(COLUMNS)]
        looks = groupby(cells, lambda one: (one[1].fg, one[1].bold))
        return "".join(_texts(list(run), colour, is_bold=bold) for (colour, bold), run in looks)


def _texts(run: list[tuple[int, "pyte.screens.Char"]], colour: str, *, is_bold: bool) -> str:
    """Return a run of cells that look alike: a text from gap to gap, as long as its cells in any font."""
    weight = ' class="b"' if is_bold else ""
    fill = COLOURS.get(colour, f"#{colour}")
    text = "".join(cell.data for _, cell in run)
    return "".join(
        f'<text x="{(run[0][0] + found.start()) * CELL:.1f}" fill="{fill}"{weight}'
        f' textLength="{len(found[0]) * CELL:.1f}" lengthAdjust="spacingAndGlyphs">{escape(found[0])}</text>'
        for found in WORDS.finditer(text)
    )


def record(command: list[str]) -> Iterator[tuple[float, Lines]]:
    """Run a command; yield how long each screen was to be seen, in seconds, and its lines."""
    terminal = Terminal(COLUMNS, ROWS)
    stream = pyte.ByteStream(terminal)
    for typed in ("\x1b[32m$\x1b[0m ", *"make run", "\r\n"):
        stream.feed(typed.encode())
        yield FRAME_SECONDS, terminal.drawn()
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (ROWS, COLUMNS))
    command = ["/usr/bin/env", "TERM=xterm-256color", *command]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as told:  # noqa: S603  # ours
        os.close(theirs)
        with suppress(OSError):  # how Linux says that nobody has the other end any more
            while True:
                until = time.monotonic() + FRAME_SECONDS
                stream.feed(os.read(ours, READ_BYTES_MAX))
                time.sleep(max(0.0, until - time.monotonic()))
                yield FRAME_SECONDS, terminal.drawn()
    os.close(ours)
    if told.returncode:
        sys.exit(f"{command} ended with exit code {told.returncode}")
    yield END_SECONDS, terminal.drawn()


if __name__ == "__main__":
    picture, *told_by = sys.argv[1:]
    Path(picture).write_text(to_svg(list(record(told_by)), COLUMNS), encoding="utf-8")
