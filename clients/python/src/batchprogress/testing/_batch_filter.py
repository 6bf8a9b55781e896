"""Which batches ListBatches lists. Pure."""

from batchprogress.v1 import progress_pb2 as pb


def is_listed(batch: pb.Batch, request: pb.ListBatchesRequest) -> bool:
    """Return whether a batch matches all filters of a request."""
    created = batch.create_time.ToNanoseconds()
    return (
        request.state in (pb.BATCH_STATE_UNSPECIFIED, batch.state)
        and request.labels.items() <= batch.labels.items()
        and batch.batch_id.startswith(request.batch_id_prefix)
        and (not request.stalled or bool(batch.stall_reason))
        and (not request.with_failures or batch.failed_jobs > 0)
        and (not request.HasField("created_from") or created >= request.created_from.ToNanoseconds())
        and (not request.HasField("created_before") or created < request.created_before.ToNanoseconds())
    )
