"""A span for each flush; its transaction records the results of many calls, so it has no parent."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from batches.recording import Recording
from batches.result import JobResult
from services.progress.group_commit import Record

if TYPE_CHECKING:  # an extra, which may not be installed
    from rpc.telemetry.tracing import Traces


def traced(record: Record, traces: "Traces") -> Record:
    """Return a function that records a group as `record` does, within a span."""

    async def trace(results: Sequence[JobResult]) -> Recording:
        with traces.span("flush", results=len(results)):
            return await record(results)

    return trace
