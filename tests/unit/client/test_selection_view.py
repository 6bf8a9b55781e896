"""Bars of any number of batches on a screen of some lines."""

import io

import pytest
from rich.console import Console

from batchprogress._calls.convert import to_batch
from batchprogress.cli.selection_view import FittingBars
from batchprogress.v1 import progress_pb2 as pb

ROWS, COLUMNS = 10, 80
STALL = "no result for 2 h; 4 of 1,037 jobs are still pending in Celery, unchanged for 2 h"


def drawn(number: int, stall: str = "") -> list[str]:
    """Return the lines that are drawn of a number of batches."""
    state = pb.BATCH_STATE_PROCESSING
    batches = {
        f"b{index}": (to_batch(pb.Batch(batch_id=f"b{index}", state=state, stall_reason=stall)), 0.0)
        for index in range(number)
    }
    out = io.StringIO()
    Console(file=out, width=COLUMNS, height=ROWS, color_system=None).print(FittingBars(batches))
    return out.getvalue().splitlines()


def test_the_screen_bounds_the_bars() -> None:
    assert len(drawn(ROWS - 2)) == ROWS - 2
    lines = drawn(20)
    assert (len(lines), lines[-1]) == (ROWS - 1, "and 12 more")


@pytest.mark.parametrize("number", [1, 4, 9, 1000])
def test_folded_lines_are_counted(number: int) -> None:
    lines = drawn(number, STALL)
    assert len(lines) < ROWS
    bars = sum(line.startswith("b") for line in lines)
    assert bars >= 1
    assert (f"and {number - bars:,} more" in lines) == (bars < number)


def test_a_screen_without_batches_says_so() -> None:
    assert drawn(0) == ["waiting for batches"]
