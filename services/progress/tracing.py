"""A span for each flush: one transaction carries the results of many calls, so it is no call's child."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from batches.recording import Recording
from batches.result import JobResult
from services.progress.group_commit import Record

if TYPE_CHECKING:  # an extra, which may not be installed
    from rpc.telemetry.tracing import Traces


def traced(record: Record, traces: "Traces") -> Record:
    """Return what records a group, with a span around it."""

    async def trace(results: Sequence[JobResult]) -> Recording:
        with traces.span("flush", results=len(results)):
            return await record(results)

    return trace
