"""Report the results of jobs and watch batches live.

One reporter for a process, one bar for whoever waits:

    reporter = Reporter("progress:50051", "sync-2026-11")
    with reporter.job("17"):
        work()

    bar("progress:50051", "sync-2026-11")
"""

from batchprogress.async_reporter import AsyncReporter
from batchprogress.bar import bar
from batchprogress.channels import TlsFiles
from batchprogress.errors import BatchNotFound, ProgressError, ReportNotTaken, ReportsRefused, ReportsUnsent
from batchprogress.outbox import Counts
from batchprogress.reporter import Reporter
from batchprogress.reports import Job
from batchprogress.watching import watch, watch_async

__all__ = [
    "AsyncReporter",
    "BatchNotFound",
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
