"""Watched batches as bars."""

import io
from typing import Any

import pytest
from rich.console import Console

from batchprogress._calls.convert import to_batch
from batchprogress.cli.views import Bars
from batchprogress.v1 import progress_pb2 as pb

UUID = "9ae0af2e-bc43-435d-a0bd-12351d4cd792"


@pytest.mark.parametrize("columns", [80, 120])
def test_bars_keep_uuids_whole(columns: int) -> None:
    """A long name and a long reason beside them are folded."""
    numbers: dict[str, Any] = {
        "total_jobs": 1037,
        "pending_jobs": 28,
        "failed_jobs": 9,
        "percent_complete": 97,
    }
    named = pb.Batch(
        display_name="Sync of all lecturers in the second semester of 2026",
        state=pb.BATCH_STATE_PROCESSING,
        stall_reason="no result for 2 h; 4 of 1,037 jobs are still pending in Celery",
        **numbers,
    )
    unnamed = pb.Batch(state=pb.BATCH_STATE_PROCESSING, jobs_per_second=12, **numbers)
    out = io.StringIO()
    drawn = {"named": (to_batch(named), 0.0), UUID: (to_batch(unnamed), 0.0), "not-received": None}
    Console(file=out, width=columns, color_system=None).print(Bars(drawn))
    lines = out.getvalue().splitlines()
    assert all(len(line) <= columns for line in lines)
    (line,) = (line for line in lines if UUID in line)
    assert "97 %  1,009/1,037  9 failed" in line
