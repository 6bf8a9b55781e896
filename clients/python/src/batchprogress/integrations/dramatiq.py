"""Dramatiq: reports messages through a middleware, and creates a batch from a group in one call.

A job is a message, and its id is the id of the message. Its attempt is kept in the options of the message: a
retry has the next one, and a message that is delivered again because its worker was killed has the same one,
so it is counted once. A job is pending until Dramatiq will not run it again by itself. The messages that
depend on a message without success (the rest of its pipeline) are never sent; they are skipped with it.

The processes of a worker import the broker after they are forked, so they need no relay.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from dramatiq import Broker, Message, Middleware, group, pipeline
from dramatiq.broker import MessageProxy
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Retries, SkipMessage
from dramatiq.worker import Worker

from batchprogress._reporting.base_reporter import EXIT_SECONDS_MAX
from batchprogress.integrations.best_effort import BestEffortClient
from batchprogress.integrations.job_ids import BATCH_KEY, check_job_ids, job_ids
from batchprogress.reporter import Reporter

ATTEMPT_KEY = "batchprogress_attempt"
"""The option that counts how often a worker has started the message, including retries."""

MILLISECONDS = 1_000
"""In a second; Dramatiq counts time in milliseconds."""

Composition = Message[Any] | pipeline | group


class DramatiqProgress(Middleware):
    """Reports the messages of a broker that belong to a batch, and creates batches from groups.

        progress = DramatiqProgress(broker, Reporter("progress:50051"))   # where the broker is made

        progress.run("sync-2026-11", group(sync_row.message(row) for row in rows))

    It adds itself to the broker as the first middleware, since Dramatiq asks the first one last: it must see
    what Retries has decided. Messages that are sent by actors are not counted, unless `add` sends them.
    Dramatiq only logs exceptions of a middleware, so even a strict reporter fails no message.

    Args:
        broker: the broker, with all its other middleware.
        reporter: reports the messages. It names no batch.
        report_retries: report an attempt that Dramatiq will retry as failed until the next attempt replaces
            it. Failures show early, but a batch whose last jobs wait for a retry is already completed.
        skip_cancelled: do not start the messages of a batch that is known to be cancelled. They are skipped
            and reported as skipped.
        describe_arguments: report the arguments of a message with the name of its actor. They may be personal
            data, which everybody then sees who may read the batch.

    """

    def __init__(
        self,
        broker: Broker,
        reporter: Reporter,
        *,
        report_retries: bool = False,
        skip_cancelled: bool = False,
        describe_arguments: bool = False,
    ) -> None:
        self.batches = BestEffortClient(reporter.connection, strict=reporter.strict)
        self._broker = broker
        self.reporter = reporter
        self._report_retries = report_retries
        self._skip_cancelled = skip_cancelled
        self._describe_arguments = describe_arguments
        broker.add_middleware(self, before=type(broker.middleware[0]) if broker.middleware else None)

    def run(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str,
        composition: Composition,
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        max_failed_jobs: int | None = None,
        max_failed_percent: int | None = None,
    ) -> Composition:
        """Create a sealed batch of all messages of a composition, and send it.

        A program that was killed meanwhile may repeat the call: batch and message ids are the same.

        Args:
            batch_id: the new batch.
            composition: a group, a pipeline or a message.
            display_name: a name for people.
            labels: labels to find batches by.
            max_failed_jobs: how many jobs may fail: one more cancels the batch.
            max_failed_percent: instead, which share of the jobs may fail, 0 to 99.

        Returns:
            What was sent, with which results can be read.

        Raises:
            ValueError: the composition has no messages; nothing is created or sent.
            BatchEnded: the batch exists and has ended; then nothing is sent.
            CallFailed: only if the reporter is strict; then nothing is sent.

        """
        jobs, message_ids = _tagged_jobs(composition, batch_id)
        self.batches.create(
            batch_id,
            len(message_ids),
            display_name=display_name,
            labels=labels,
            if_ended="error",
            max_failed_jobs=max_failed_jobs,
            max_failed_percent=max_failed_percent,
        )
        return self._send(jobs)

    def add(self, batch_id: str, composition: Composition, *, part: str) -> Composition:
        """Add the messages of a composition to an unsealed batch, and send them.

        Args:
            batch_id: the batch.
            composition: a group, a pipeline or a message.
            part: a name within the batch: a repeated call with the same name adds nothing.

        Returns:
            What was sent, with which results can be read.

        Raises:
            ValueError: the composition has no messages; nothing is counted or sent.
            CallFailed: only if the reporter is strict; then nothing is sent.

        """
        jobs, message_ids = _tagged_jobs(composition, batch_id, part)
        self.batches.add_jobs(batch_id, len(message_ids), part)
        return self._send(jobs)

    def after_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Send the reports that a killed process left in the spool."""
        self.reporter.start()

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Flush."""
        self.reporter.flush(EXIT_SECONDS_MAX)

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Count the attempt.

        Raises:
            SkipMessage: the batch of the message is cancelled.

        """
        if batch_id := message.options.get(BATCH_KEY):
            message.options[ATTEMPT_KEY] = _attempt_of(message) + 1
            sent_time = message.message_timestamp / MILLISECONDS
            if self._skip_cancelled and self.reporter.cancelled_batches.has(batch_id, sent_time):
                raise SkipMessage(f"batch {batch_id} is cancelled")

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        exception: BaseException | None = None,
        **_: object,
    ) -> None:
        """Report how a message ended, before it is acknowledged: after a kill in between it runs again."""
        if exception is None and not message.failed:
            self._report(message, self.reporter.succeeded)
        elif message.failed or not _has_retries(broker):
            self._report_failed(message, exception or "")
        elif self._report_retries:
            self._report(message, self.reporter.failed, exception)

    def after_skip_message(self, _broker: Broker, message: MessageProxy) -> None:
        """Report a message that a middleware has skipped, for example because it is too old."""
        self._report(message, self.reporter.skipped)
        self._skip_dependents(message)

    def before_nack(self, _broker: Broker, message: MessageProxy) -> None:
        """Report a message that no worker could start, since its actor does not exist."""
        if ATTEMPT_KEY not in message.options:
            message.options[ATTEMPT_KEY] = 1
            self._report_failed(message, ActorNotFound(message.actor_name))

    def _send(self, jobs: Composition) -> Composition:
        if isinstance(jobs, Message):
            return self._broker.enqueue(jobs, delay=jobs.options.get("delay"))
        jobs.run()  # type: ignore[no-untyped-call]
        return jobs

    def _report_failed(self, message: MessageProxy, error: BaseException | str) -> None:
        self._report(message, self.reporter.failed, error)
        self._skip_dependents(message)

    def _report(self, message: MessageProxy, report: Any, *error: object) -> None:
        if batch_id := message.options.get(BATCH_KEY):
            name = _call_in(message) if self._describe_arguments else message.actor_name
            report(
                message.message_id,
                *error,
                batch_id=batch_id,
                attempt=_attempt_of(message),
                display_name=name,
            )

    def _skip_dependents(self, message: MessageProxy) -> None:
        for batch_id, message_id, name in _dependents_of(message.options):
            self.reporter.skipped(message_id, batch_id=batch_id, display_name=name)


def _call_in(message: MessageProxy) -> str:
    """Return the actor of a message with its arguments."""
    try:
        return str(message)
    except Exception:  # noqa: BLE001  # of the arguments' own code, over which no report is lost
        return str(message.actor_name)


def _attempt_of(message: MessageProxy) -> int:
    return int(message.options.get(ATTEMPT_KEY, 0))


def _has_retries(broker: Broker) -> bool:
    """Whether a message that raised may be sent again, which only the middleware Retries does."""
    return any(isinstance(middleware, Retries) for middleware in broker.middleware)


def _tagged(composition: Composition, batch_id: str, message_ids: Iterator[str]) -> Composition:
    """Return a copy in which every message carries the batch and has the next of the ids."""
    if isinstance(composition, Message):
        return _tagged_message(composition, batch_id, message_ids)
    if isinstance(composition, pipeline):
        messages = [_tagged_message(message, batch_id, message_ids) for message in composition.messages]
        return pipeline(messages, broker=composition.broker)
    tagged = copy.copy(composition)
    tagged.children = [_tagged(child, batch_id, message_ids) for child in composition.children]
    return tagged


def _tagged_message(message: Message[Any], batch_id: str, message_ids: Iterator[str]) -> Message[Any]:
    return message.copy(message_id=next(message_ids), options={BATCH_KEY: batch_id})


def _tagged_jobs(composition: Composition, batch_id: str, part: str = "") -> tuple[Composition, list[str]]:
    """Return a copy of a composition whose messages belong to a batch, and their ids.

    Raises:
        ValueError: it has no messages.

    """
    jobs = _tagged(composition, batch_id, job_ids(batch_id, part))
    message_ids = list(_ids_of(jobs))
    check_job_ids(batch_id, message_ids)
    return jobs, message_ids


def _ids_of(composition: Composition) -> Iterator[str]:
    if isinstance(composition, Message):
        yield composition.message_id
        return
    for child in composition.messages if isinstance(composition, pipeline) else composition.children:
        yield from _ids_of(child)


def _dependents_of(options: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the batch, the id and the actor of each message that is sent only if this one succeeds."""
    while target := options.get("pipe_target"):
        options = target["options"]
        if batch_id := options.get(BATCH_KEY):
            yield batch_id, target["message_id"], target["actor_name"]
