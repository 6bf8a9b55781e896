"""The differences between a batch and its listed results."""

from collections import Counter
from typing import Any

import pytest

from batchprogress._calls.convert import to_batch
from batchprogress.cli.checking import differences_of
from batchprogress.models import JobOutcome
from batchprogress.v1 import progress_pb2 as pb

SUCCEEDED, FAILED = JobOutcome.SUCCEEDED, JobOutcome.FAILED


@pytest.mark.parametrize(
    ("counts", "listed", "reconciled", "found"),
    [
        ({"total_jobs": 3, "succeeded_jobs": 2, "pending_jobs": 1}, {SUCCEEDED: 2}, 0, []),
        (
            {"total_jobs": 3, "succeeded_jobs": 1, "pending_jobs": 1},
            {SUCCEEDED: 1, FAILED: 1},
            0,
            ["1 failed are listed, 0 are counted", "1 and 1 pending are not 3"],
        ),
        (
            {"total_jobs": 3, "succeeded_jobs": 3, "reconciled_jobs": 2},
            {SUCCEEDED: 2},
            1,
            [],
        ),
        (
            {"total_jobs": 3, "succeeded_jobs": 3, "reconciled_jobs": 1},
            {SUCCEEDED: 2},
            1,
            ["1 results are not listed, 0 came as counts"],
        ),
    ],
)
def test_listed_results_must_add_up_to_the_counts(
    counts: dict[str, Any], listed: dict[JobOutcome, int], reconciled: int, found: list[str]
) -> None:
    """Only results that the reconciler took from the counts of a queue may be missing."""
    batch = to_batch(pb.Batch(state=pb.BATCH_STATE_PROCESSING, **counts))
    assert differences_of(batch, Counter(listed), reconciled) == found
