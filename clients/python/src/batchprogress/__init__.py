"""Report the results of jobs and follow batches live.

    with Client("progress:50051") as client:
        client.create("sync-2026-11", 1037)

    reporter = Reporter("progress:50051", "sync-2026-11")    # one for each worker process
    with reporter.job("17"):
        work()

    bar("progress:50051", "sync-2026-11")

All durations are in seconds, all times are aware datetimes in UTC.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import batchprogress._grpc  # noqa: F401  # before anything else imports grpc
from batchprogress._reporting.job import Job
from batchprogress._reporting.outbox import Counts
from batchprogress.async_client import AsyncClient
from batchprogress.async_reporter import AsyncReporter
from batchprogress.bar import bar
from batchprogress.client import Client
from batchprogress.errors import (
    BatchCancelled,
    BatchCompleted,
    BatchConflict,
    BatchEnded,
    BatchNotFound,
    BatchProcessing,
    BatchSealed,
    CallFailed,
    ClientClosed,
    ClientTooOld,
    DeliveryNotFound,
    FieldViolation,
    GrpcUnusable,
    InvalidRequest,
    InvalidWebhook,
    PermissionDenied,
    ProgressError,
    ProxyAnswered,
    ReportNotTaken,
    ReportsRefused,
    ReportsUnsent,
    RequestConflict,
    ResourceExhausted,
    ResultNotFound,
    ServerError,
    ServerTooOld,
    TooManyBatches,
    Unauthenticated,
    Unavailable,
    WaitTimeout,
    WatchTokensOff,
)
from batchprogress.models import (
    Batch,
    BatchState,
    CancelReason,
    Delivery,
    DeliveryState,
    FailureGroup,
    HistoryPoint,
    JobOutcome,
    JobResult,
    Pass,
    PendingJob,
    PendingJobs,
    Repair,
    ServerInfo,
    Tallies,
    WatchToken,
)
from batchprogress.paging import AsyncPages, Page, Pages
from batchprogress.pool_map import map as map  # noqa: A004  # not in __all__, see there
from batchprogress.reporter import Reporter
from batchprogress.tls import TlsFiles

__version__ = "0.2.0"

__all__ = [
    "AsyncClient",
    "AsyncPages",
    "AsyncReporter",
    "Batch",
    "BatchCancelled",
    "BatchCompleted",
    "BatchConflict",
    "BatchEnded",
    "BatchNotFound",
    "BatchProcessing",
    "BatchSealed",
    "BatchState",
    "CallFailed",
    "CancelReason",
    "Client",
    "ClientClosed",
    "ClientTooOld",
    "Counts",
    "Delivery",
    "DeliveryNotFound",
    "DeliveryState",
    "FailureGroup",
    "FieldViolation",
    "GrpcUnusable",
    "HistoryPoint",
    "InvalidRequest",
    "InvalidWebhook",
    "Job",
    "JobOutcome",
    "JobResult",
    "Page",
    "Pages",
    "Pass",
    "PendingJob",
    "PendingJobs",
    "PermissionDenied",
    "ProgressError",
    "ProxyAnswered",
    "Repair",
    "ReportNotTaken",
    "Reporter",
    "ReportsRefused",
    "ReportsUnsent",
    "RequestConflict",
    "ResourceExhausted",
    "ResultNotFound",
    "ServerError",
    "ServerInfo",
    "ServerTooOld",
    "Tallies",
    "TlsFiles",
    "TooManyBatches",
    "Unauthenticated",
    "Unavailable",
    "WaitTimeout",
    "WatchToken",
    "WatchTokensOff",
    "bar",
]  # and `map`, which `from batchprogress import *` must not put in place of Python's own

_DEPRECATED = {
    "Batches": ("batchprogress.batches.Batches", "Client"),
    "BatchNotChanged": ("batchprogress.errors.CallFailed", "CallFailed"),
    "watch": ("batchprogress.watching.watch", "Client.watch"),
    "watch_async": ("batchprogress.watching.watch_async", "AsyncClient.watch"),
}
"""The names of version 0.1 that 0.3 removes: where each is now, and what replaces it."""

if TYPE_CHECKING:
    Batches: Any
    BatchNotChanged: Any
    watch: Any
    watch_async: Any
else:  # hidden from type checkers, which would take every name for one of this module

    def __getattr__(name: str) -> Any:
        """Return a name of version 0.1, with a warning."""
        if name not in _DEPRECATED:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        place, replacement = _DEPRECATED[name]
        warnings.warn(
            f"batchprogress.{name} is deprecated and will be removed in 0.3: use batchprogress.{replacement}",
            DeprecationWarning,
            stacklevel=2,
        )
        module, _, member = place.rpartition(".")
        return getattr(import_module(module), member)
