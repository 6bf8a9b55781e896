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

if TYPE_CHECKING:
    from batchprogress._reporting.job import Job
    from batchprogress._reporting.outbox import Counts
    from batchprogress.async_client import AsyncClient
    from batchprogress.async_reporter import AsyncReporter
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
    from batchprogress.progress_bar import bar
    from batchprogress.reporter import Reporter
    from batchprogress.tls import TlsFiles

    Batches: Any
    BatchNotChanged: Any
    watch: Any
    watch_async: Any

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

_NAMES = {
    "_reporting.job": ("Job",),
    "_reporting.outbox": ("Counts",),
    "async_client": ("AsyncClient",),
    "async_reporter": ("AsyncReporter",),
    "client": ("Client",),
    "errors": (
        "BatchCancelled",
        "BatchCompleted",
        "BatchConflict",
        "BatchEnded",
        "BatchNotFound",
        "BatchProcessing",
        "BatchSealed",
        "CallFailed",
        "ClientClosed",
        "ClientTooOld",
        "DeliveryNotFound",
        "FieldViolation",
        "GrpcUnusable",
        "InvalidRequest",
        "InvalidWebhook",
        "PermissionDenied",
        "ProgressError",
        "ProxyAnswered",
        "ReportNotTaken",
        "ReportsRefused",
        "ReportsUnsent",
        "RequestConflict",
        "ResourceExhausted",
        "ResultNotFound",
        "ServerError",
        "ServerTooOld",
        "TooManyBatches",
        "Unauthenticated",
        "Unavailable",
        "WaitTimeout",
        "WatchTokensOff",
    ),
    "models": (
        "Batch",
        "BatchState",
        "CancelReason",
        "Delivery",
        "DeliveryState",
        "FailureGroup",
        "HistoryPoint",
        "JobOutcome",
        "JobResult",
        "Pass",
        "PendingJob",
        "PendingJobs",
        "Repair",
        "ServerInfo",
        "Tallies",
        "WatchToken",
    ),
    "paging": ("AsyncPages", "Page", "Pages"),
    "pool_map": ("map",),
    "progress_bar": ("bar",),
    "reporter": ("Reporter",),
    "tls": ("TlsFiles",),
}
"""The public names by their modules, which are imported when they are first used: a server that only needs
the stubs in batchprogress.v1 starts a tenth of a second earlier, and a worker without a bar."""
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

_DEPRECATED = {
    "Batches": ("batchprogress.batches.Batches", "Client"),
    "BatchNotChanged": ("batchprogress.errors.CallFailed", "CallFailed"),
    "watch": ("batchprogress.watching.watch", "Client.watch"),
    "watch_async": ("batchprogress.watching.watch_async", "AsyncClient.watch"),
}
"""The names of version 0.1 that 0.3 removes: where each is now, and what replaces it."""

if not TYPE_CHECKING:  # hidden from type checkers, which would take every name for one of this module

    def __getattr__(name: str) -> Any:
        """Import a public name, a public module, or, with a warning, a name of version 0.1."""
        if name in _MODULE_OF:
            member = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
            globals()[name] = member  # the next time it is found without this function
            return member
        if name in _NAMES:
            return import_module(f"{__name__}.{name}")
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

    def __dir__() -> list[str]:
        """Return what is defined here, and the public names that were not used yet."""
        return sorted({*globals(), *_MODULE_OF})
