"""Report the results of jobs and watch batches live.

One reporter for a process, one bar for whoever waits:

    reporter = Reporter("progress:50051", "sync-2026-11")
    with reporter.job("17"):
        work()

    bar("progress:50051", "sync-2026-11")
"""

from batchprogress._grpc.connection import TlsFiles
from batchprogress._reporting.outbox import Counts
from batchprogress._reporting.reports import Job
from batchprogress.async_reporter import AsyncReporter
from batchprogress.bar import bar
from batchprogress.batches import Batches
from batchprogress.errors import (
    BatchNotChanged,
    BatchNotFound,
    ProgressError,
    ReportNotTaken,
    ReportsRefused,
    ReportsUnsent,
)
from batchprogress.reporter import Reporter
from batchprogress.watching import watch, watch_async

__all__ = [
    "AsyncReporter",
    "BatchNotChanged",
    "BatchNotFound",
    "Batches",
    "Counts",
    "Job",
    "ProgressError",
    "ReportNotTaken",
    "Reporter",
    "ReportsRefused",
    "ReportsUnsent",
    "TlsFiles",
    "bar",
    "watch",
    "watch_async",
]
