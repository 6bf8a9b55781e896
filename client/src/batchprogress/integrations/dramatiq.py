"""Dramatiq: a middleware reports, and a group becomes a batch in one call.

A job is a message, its id the message's. Its attempt is kept in the message's options: a retry carries it on,
a message that is delivered again because its worker was killed is the same attempt, and so is counted once.
A job is pending until Dramatiq runs it no more by itself; what waits for a job that did not succeed (the rest
of its pipeline) never runs, and is skipped with it.

A worker's processes import the broker after they were forked, so that they need no care.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from dramatiq import Broker, Message, Middleware, group, pipeline
from dramatiq.broker import MessageProxy
from dramatiq.errors import ActorNotFound
from dramatiq.middleware import Retries
from dramatiq.worker import Worker

from batchprogress._reporting.base_reporter import EXIT_SECONDS_MAX
from batchprogress.batches import Batches
from batchprogress.integrations.job_ids import BATCH_KEY, job_ids
from batchprogress.reporter import Reporter

ATTEMPT_KEY = "batchprogress_attempt"
"""The option that counts how often a worker has begun the message, retries included."""

Composition = Message[Any] | pipeline | group


class DramatiqProgress(Middleware):
    """Reports the messages of a broker that belong to a batch, and makes batches of groups.

        progress = DramatiqProgress(broker, Reporter("progress:50051"))   # where the broker is made

        progress.run("sync-2026-11", group(sync_row.message(row) for row in rows))

    It adds itself to the broker. Messages that actors send themselves are not counted, unless `add` sends
    them. What a middleware raises Dramatiq only logs, so that a strict reporter fails no message either.
    """

    def __init__(self, broker: Broker, reporter: Reporter, *, report_retries: bool = False) -> None:
        """Become the broker's first middleware: what follows a message is asked last, after Retries.

        Args:
            broker: the broker, with all of its other middleware.
            reporter: what messages are reported with; it names no batch.
            report_retries: report an attempt that Dramatiq will retry as failed, for the next one to take its
                place: failures are seen early, but a batch whose last jobs wait for a retry has COMPLETED.

        """
        self.batches = Batches.of(reporter.connection, strict=reporter.strict)
        self._broker = broker
        self._reporter = reporter
        self._report_retries = report_retries
        broker.add_middleware(self, before=type(broker.middleware[0]) if broker.middleware else None)

    def run(
        self,
        batch_id: str,
        composition: Composition,
        *,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> Composition:
        """Create a sealed batch of all messages of a group, a pipeline or a message, and send it.

        A program that was killed in here calls it again with the same: the batch is the same, and so are the
        messages' ids. Returns what was sent, which has the results.

        Raises:
            BatchNotChanged: only if the reporter is strict, and then nothing is sent.

        """
        jobs = _tagged(composition, batch_id, job_ids(batch_id))
        self.batches.create(batch_id, _size_of(jobs), display_name=display_name, labels=labels)
        return self._send(jobs)

    def add(self, batch_id: str, composition: Composition, *, part: str) -> Composition:
        """Add the messages of a composition to an unsealed batch, and send them.

        `part` names them within the batch, for a call that is made again.

        Raises:
            BatchNotChanged: only if the reporter is strict, and then nothing is sent.

        """
        jobs = _tagged(composition, batch_id, job_ids(batch_id, part))
        self.batches.add_jobs(batch_id, _size_of(jobs), part)
        return self._send(jobs)

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002  # Dramatiq's
        """Send what a killed process has left in the spool."""
        self._reporter.start()

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002  # as above
        """Flush."""
        self._reporter.flush(EXIT_SECONDS_MAX)

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002  # as above
        """Count an attempt."""
        if BATCH_KEY in message.options:
            message.options[ATTEMPT_KEY] = _attempt_of(message) + 1

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002  # as above
        exception: BaseException | None = None,
    ) -> None:
        """Report how a message ended; before it is acknowledged, so that a kill between delivers it again."""
        if exception is None and not message.failed:
            self._report(message, self._reporter.succeeded)
        elif message.failed or not _has_retries(broker):
            self._report_failed(message, exception or "")
        elif self._report_retries:
            self._report(message, self._reporter.failed, exception)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002  # as above
        """Report a message that a middleware has skipped, as one that is too old."""
        self._report(message, self._reporter.skipped)
        self._skip_after(message)

    def before_nack(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002  # as above
        """Report a message that no worker has begun: it names an actor that is not there."""
        if ATTEMPT_KEY not in message.options:
            message.options[ATTEMPT_KEY] = 1
            self._report_failed(message, ActorNotFound(message.actor_name))

    def _send(self, jobs: Composition) -> Composition:
        if isinstance(jobs, Message):
            return self._broker.enqueue(jobs, delay=jobs.options.get("delay"))
        jobs.run()  # type: ignore[no-untyped-call]
        return jobs

    def _report_failed(self, message: MessageProxy, error: BaseException | str) -> None:
        self._report(message, self._reporter.failed, error)
        self._skip_after(message)

    def _report(self, message: MessageProxy, report: Any, *error: object) -> None:
        if batch_id := message.options.get(BATCH_KEY):
            report(message.message_id, *error, batch_id=batch_id, attempt=_attempt_of(message))

    def _skip_after(self, message: MessageProxy) -> None:
        for batch_id, message_id in _messages_after(message.options):
            self._reporter.skipped(message_id, batch_id=batch_id)


def _attempt_of(message: MessageProxy) -> int:
    return int(message.options.get(ATTEMPT_KEY, 0))


def _has_retries(broker: Broker) -> bool:
    """Whether a message that raised and was not given up is sent again; without Retries nobody does that."""
    return any(isinstance(middleware, Retries) for middleware in broker.middleware)


def _tagged(composition: Composition, batch_id: str, message_ids: Iterator[str]) -> Composition:
    """Return a copy in which every message carries the batch and has the next of these ids."""
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


def _size_of(composition: Composition) -> int:
    if isinstance(composition, Message):
        return 1
    if isinstance(composition, pipeline):
        return len(composition)
    return sum(_size_of(child) for child in composition.children)


def _messages_after(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the batch and the id of each message that is sent only if this one succeeds."""
    while target := options.get("pipe_target"):
        options = target["options"]
        if batch_id := options.get(BATCH_KEY):
            yield batch_id, target["message_id"]
