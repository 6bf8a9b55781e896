"""Tables of plain text, one line a row. On a terminal they fit its width; elsewhere nothing is left out."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice

from rich.cells import cell_len, set_cell_size

from batchprogress.cli.formatting import moment

ROWS_AT_A_TIME = 1_000
"""Rows that are measured before they are written, a page of the server. The first ones decide on columns."""
GAP = "  "

Cell = str | datetime | None
Row = Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and what becomes of it on a narrow terminal.

    Args:
        name: its head.
        least: the least width to which its text is cut. 0: it is never cut, as ids.
        dropped: columns are dropped in the order of these numbers, the highest first. 0: it stays.
        folds: its text is not cut but goes on in the next line; for the last column.

    """

    name: str
    least: int = 0
    dropped: int = 0
    folds: bool = False


def lines_of(
    columns: Sequence[Column], rows: Iterable[Row], width: int | None, mark: str = "…"
) -> Iterator[str]:
    """Yield the lines of a table; none if it has no rows.

    Args:
        columns: the columns.
        rows: the cells of each row, read as they are written.
        width: the width of the terminal; None for a file or a pipe.
        mark: ends a text that was cut.

    """
    rest = iter(rows)
    places: list[_Place] = []
    while chunk := list(islice(rest, ROWS_AT_A_TIME)):
        if not places:
            places = _places_for(columns, chunk, width)
            heads = [place.head() for place in places]
            yield _joined(places, heads)
            if width is not None:
                yield "─" * min(width, cell_len(_padded(places, heads)))
        elif width is None:
            places = [place.widened(chunk) for place in places]
        for row in chunk:
            yield from _lines(places, row, mark)


@dataclass(frozen=True, slots=True)
class _Place:
    """The place of a column in a line."""

    number: int
    column: Column
    width: int
    is_brief: bool
    is_time: bool

    def head(self) -> str:
        return f"{self.column.name} UTC" if self.is_time and self.is_brief else self.column.name

    def text(self, row: Row) -> str:
        cell = row[self.number]
        if isinstance(cell, datetime):
            return _brief(cell) if self.is_brief else moment(cell)
        return cell or ""

    def widened(self, rows: Iterable[Row]) -> "_Place":
        """Return it with the width of its longest text."""
        longest = max(cell_len(self.text(row)) for row in rows)
        return replace(self, width=max(self.width, cell_len(self.head()), longest))


def _places_for(columns: Sequence[Column], rows: Sequence[Row], width: int | None) -> list[_Place]:
    """Return the first of these that fits: everything, brief times, shorter texts, fewer columns."""
    times = [any(isinstance(row[number], datetime) for row in rows) for number in range(len(columns))]
    places = [
        _Place(number, column, 0, is_brief=False, is_time=is_time).widened(rows)
        for number, (column, is_time) in enumerate(zip(columns, times, strict=True))
    ]
    if width is None or _width_of(places) <= width:
        return places
    places = [replace(place, width=0, is_brief=True).widened(rows) for place in places]
    for dropped in sorted({column.dropped for column in columns} - {0}, reverse=True):
        if _width_of(map(_cut, places)) <= width:
            break
        places = [place for place in places if place.column.dropped != dropped]
    return _grown(places, width)


def _cut(place: _Place) -> _Place:
    least = place.column.least
    return replace(place, width=max(least, len(place.head()))) if 0 < least < place.width else place


def _grown(places: Sequence[_Place], width: int) -> list[_Place]:
    """Return the places with the room that is left given to those that were cut, from the first on."""
    spare = width - _width_of(map(_cut, places))
    grown = []
    for place in places:
        least = _cut(place)
        more = max(0, min(spare, place.width - least.width))
        spare -= more
        grown.append(replace(place, width=least.width + more))
    return grown


def _width_of(places: Iterable[_Place]) -> int:
    return sum(place.width + len(GAP) for place in places) - len(GAP)


def _lines(places: Sequence[_Place], row: Row, mark: str) -> Iterator[str]:
    """Yield the line of a row, and those below it in which its last text goes on."""
    *texts, last = [place.text(row) for place in places]
    place = places[-1]
    parts = [last]
    if place.column.folds and cell_len(last) > place.width:
        parts = textwrap.wrap(last, place.width, break_on_hyphens=False)
    for part in parts:
        shown = [_shortened(one, text, mark) for one, text in zip(places, [*texts, part], strict=True)]
        yield _joined(places, shown)
        texts = [""] * len(texts)


def _shortened(place: _Place, text: str, mark: str) -> str:
    """Return a text that fits its place, if it may be cut."""
    if not place.column.least or cell_len(text) <= place.width:
        return text
    return set_cell_size(text, place.width - len(mark)) + mark


def _joined(places: Iterable[_Place], texts: Iterable[str]) -> str:
    return _padded(places, texts).rstrip()


def _padded(places: Iterable[_Place], texts: Iterable[str]) -> str:
    padded = (text + " " * (place.width - cell_len(text)) for place, text in zip(places, texts, strict=True))
    return GAP.join(padded)


def _brief(time: datetime) -> str:
    """Return a time to the minute, or the date of another year, as `ls -l` does."""
    return f"{time:%m-%d %H:%M}" if time.year == datetime.now(UTC).year else f"{time:%Y-%m-%d}"
