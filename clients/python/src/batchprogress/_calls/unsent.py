"""The answers of calls that are not made, since reporting is switched off."""

from typing import Any

from batchprogress._calls.convert import to_batch
from batchprogress._calls.requests import Call
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb


def unsent(call: Call[Batch]) -> Batch:
    """Return the batch as the request of a call describes it, without a result.

    Args:
        call: CreateBatch, AddJobs or SealBatch.

    """
    request: Any = call.request
    if isinstance(request, pb.CreateBatchRequest):
        batch = pb.Batch(
            batch_id=request.batch_id,
            display_name=request.display_name,
            labels=request.labels,
            sealed=request.sealed,
            total_jobs=request.total_jobs,
        )
        if request.HasField("failure_limit"):
            batch.failure_limit.CopyFrom(request.failure_limit)
    elif isinstance(request, pb.AddJobsRequest):
        batch = pb.Batch(batch_id=request.batch_id, total_jobs=request.additional_jobs)
    else:
        batch = pb.Batch(batch_id=request.batch_id, sealed=True)
    batch.pending_jobs = batch.total_jobs
    is_complete = batch.sealed and not batch.total_jobs
    batch.state = pb.BATCH_STATE_COMPLETED if is_complete else pb.BATCH_STATE_PROCESSING
    batch.percent_complete = 100 if is_complete else 0
    batch.revision = 1
    batch.create_time.GetCurrentTime()
    if is_complete:
        batch.complete_time.CopyFrom(batch.create_time)
    return to_batch(batch)
