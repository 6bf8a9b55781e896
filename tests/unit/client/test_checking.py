"""When a batch and its listed results differ."""

from collections import Counter

from batchprogress.cli.checking import differences_of
from batchprogress.v1 import progress_pb2 as pb


def test_more_results_than_are_counted() -> None:
    """A result that is listed and not counted is told, and so is a sum that does not hold."""
    batch = pb.Batch(total_jobs=3, succeeded_jobs=1, pending_jobs=1)
    listed = Counter({pb.JOB_OUTCOME_SUCCEEDED: 1, pb.JOB_OUTCOME_FAILED: 1})
    assert differences_of(batch, listed, reconciled=0) == [
        "1 failed are listed, 0 are counted",
        "1 and 1 pending are not 3",
    ]
