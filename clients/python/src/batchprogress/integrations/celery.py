"""Celery: creates a batch from a canvas in one call, and reports its tasks (see celery_reports)."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from celery import Celery, Signature

from batchprogress._grpc.error_text import message_of
from batchprogress.integrations import celery_groups
from batchprogress.integrations.best_effort import BestEffortClient
from batchprogress.integrations.celery_callbacks import keep_callback
from batchprogress.integrations.celery_canvas import batch_jobs
from batchprogress.integrations.celery_reports import TaskReports
from batchprogress.integrations.celery_webhooks import WebhookReceiver
from batchprogress.reporter import Reporter

__all__ = ["CeleryProgress", "WebhookReceiver"]

_log = logging.getLogger("batchprogress")


class CeleryProgress:
    """Reports the tasks of an app that belong to a batch, and creates batches from canvases.

        progress = CeleryProgress(app, Reporter("progress:50051"))   # where the app is made

        progress.run("sync-2026-11", group(sync_row.s(row) for row in rows))

    It connects to Celery's signals for the life of the process. Tasks that are published by other tasks are
    not counted, unless `add` publishes them. Celery only logs exceptions of signal receivers, so even a
    strict reporter fails no task.

    Args:
        app: the app whose canvases become batches.
        reporter: reports the tasks. It names no batch and has reported nothing yet.
        report_retries: report an attempt that Celery will retry as failed until the next attempt replaces it.
            Failures show early, but a batch whose last jobs wait for a retry is already completed.
        skip_cancelled: do not start the tasks of a batch that is known to be cancelled. They become REVOKED
            and are reported as skipped.
        describe_arguments: report the arguments of a task with its name. They may be personal data, which
            everybody then sees who may read the batch.

    """

    def __init__(
        self,
        app: Celery,
        reporter: Reporter,
        *,
        report_retries: bool = False,
        skip_cancelled: bool = False,
        describe_arguments: bool = False,
    ) -> None:
        self.batches = BestEffortClient(reporter.connection, strict=reporter.strict)
        self._app = app
        self.reporter = reporter
        TaskReports(
            app,
            reporter,
            report_retries=report_retries,
            skip_cancelled=skip_cancelled,
            describe_arguments=describe_arguments,
        ).connect()

    def run(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str,
        canvas: Signature,
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        max_failed_jobs: int | None = None,
        max_failed_percent: int | None = None,
        on_completed: Signature | None = None,
    ) -> Any:
        """Create a sealed batch of all tasks of a canvas, and publish it.

        A program that was killed meanwhile may repeat the call: batch and task ids are the same. If the app
        has a result backend, the tasks are also saved there as a GroupResult with the id of the batch, for
        the reconciler; if that fails, the canvas is published without.

        Args:
            batch_id: the new batch.
            canvas: a group, a chord, a chain, chunks or a task.
            display_name: a name for people.
            labels: labels to find batches by.
            max_failed_jobs: how many jobs may fail: one more cancels the batch.
            max_failed_percent: instead, which share of the jobs may fail, 0 to 99.
            on_completed: the task that a WebhookReceiver sends when the batch has completed. The result
                backend keeps it.

        Returns:
            What `canvas.apply_async()` returns.

        Raises:
            ValueError: the canvas has no tasks, or the result backend cannot keep on_completed; nothing is
                created or published.
            Exception: raised by a result backend that is unavailable for on_completed; nothing is created or
                published.
            BatchEnded: the batch exists and has ended; then nothing is published.
            CallFailed: only if the reporter is strict; then nothing is published.

        """
        jobs, task_ids = batch_jobs(canvas, batch_id)
        if on_completed is not None and not self.reporter.disabled:
            keep_callback(self._app, batch_id, on_completed)
        self.batches.create(
            batch_id,
            len(task_ids),
            display_name=display_name,
            labels=labels,
            if_ended="error",
            max_failed_jobs=max_failed_jobs,
            max_failed_percent=max_failed_percent,
        )
        self._save_all(batch_id, task_ids)
        return jobs.apply_async()

    def add(self, batch_id: str, canvas: Signature, *, part: str) -> Any:
        """Add the tasks of a canvas to an unsealed batch, and publish them.

        If the result backend is Redis or a database, the ids of the tasks are saved there for the reconciler.

        Args:
            batch_id: the batch.
            canvas: a group, a chord, a chain, chunks or a task.
            part: a name within the batch: a repeated call with the same name adds nothing.

        Returns:
            What `canvas.apply_async()` returns.

        Raises:
            ValueError: the canvas has no tasks; nothing is counted or published.
            CallFailed: only if the reporter is strict; then nothing is published, and for the reconciler the
                tasks are pending until the call is repeated.
            Exception: raised by a result backend that cannot save the ids; then nothing is counted or
                published.

        """
        jobs, task_ids = batch_jobs(canvas, batch_id, part)
        # First: a list shorter than the batch would make the reconciler end it without the missing tasks.
        if not self.reporter.disabled:
            celery_groups.save_part(self._app, batch_id, part, task_ids)
        self.batches.add_jobs(batch_id, len(task_ids), part)
        return jobs.apply_async()

    def _save_all(self, batch_id: str, task_ids: Sequence[str]) -> None:
        """Save the ids before a task can run. Without them the reconciler leaves the batch alone."""
        if self.reporter.disabled:
            return
        try:
            celery_groups.save_all(self._app, batch_id, task_ids)
        except Exception as error:
            if self.reporter.strict:
                raise
            _log.warning("the reconciler cannot repair batch %s: %s", batch_id, message_of(error))
