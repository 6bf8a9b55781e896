"""Where a watch is, and what the end of a stream means for it. Pure: the clock is passed in."""

import math
from collections.abc import Sequence

import grpc
from google.protobuf import duration_pb2

from batchprogress._calls.call_errors import Subject, refused, replaced, unavailable
from batchprogress._calls.convert import to_batch
from batchprogress._calls.liveness import HEARTBEAT_SECONDS
from batchprogress._calls.waiting import LoggedWaiting, Waiting
from batchprogress._grpc.retry import TRY_SECONDS_MAX, Failure
from batchprogress.errors import WaitTimeout
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb

WAIT_INTERVAL_SECONDS = 1.0
"""A program that waits for the end needs few states before it; the end itself is not delayed."""
_CUT = Failure(grpc.StatusCode.UNAVAILABLE, "the stream was cut before the batch had ended")


class WatchCursor:
    """The last revision that a watch has received, from which the next stream goes on.

    Args:
        subject: the batch, the call and the server, for requests and the messages of errors.
        after_revision: only other states are yielded; 0 yields the present one too.
        min_interval: the least time between two states, in seconds.
        deadline: when the watch is over, by the clock that the methods are given. Default: never.
        retry: whether a stream that breaks is followed by another one.
        waiting: is told how streams end. Default: logs it.

    """

    question_method = "GetBatch"

    def __init__(  # noqa: PLR0913  # options, by keyword only
        self,
        subject: Subject,
        *,
        after_revision: int = 0,
        min_interval: float = 0.0,
        deadline: float = math.inf,
        retry: bool = True,
        waiting: Waiting | None = None,
    ) -> None:
        self.subject = subject
        self._waiting = LoggedWaiting(self.subject) if waiting is None else waiting
        self._revision = after_revision
        self._min_interval = duration_pb2.Duration()
        self._min_interval.FromMicroseconds(round(min_interval * 1e6))
        self._deadline = deadline
        self._retry = retry
        self._tries = 0
        self._batch: Batch | None = None
        self._stream_begins = True
        self._has_ended = False
        self._failure: Failure | None = None

    @property
    def request(self) -> pb.WatchBatchRequest:
        """The request of the next stream.

        It asks for the present state also if it is known, so that every server answers at once, one of 0.1
        too: a stream that does not begin is dead.
        """
        return pb.WatchBatchRequest(
            batch_id=self.subject.batch_id,
            min_interval=self._min_interval,
            heartbeat_interval=duration_pb2.Duration(seconds=HEARTBEAT_SECONDS),
        )

    @property
    def asks_first(self) -> bool:
        """Whether a unary call comes before the next stream.

        It shows the HTTP status that a stream hides, and ends sooner than a stream that hangs.
        """
        return self._failure is not None

    @property
    def question(self) -> pb.GetBatchRequest:
        """The request of the unary call."""
        return pb.GetBatchRequest(batch_id=self.subject.batch_id)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the next stream may last; None if it may last for ever."""
        return None if self._deadline == math.inf else max(0.0, self._deadline - now)

    def question_seconds(self, now: float) -> float:
        """Return how long the unary call may take."""
        return min(TRY_SECONDS_MAX, max(0.0, self._deadline - now))

    def news(self, response: pb.WatchBatchResponse | pb.GetBatchResponse | None) -> Sequence[Batch]:
        """Note a response; return the state to yield, if there is one."""
        batch = self.advance(response)
        return () if batch is None else (batch,)

    def advance(self, response: pb.WatchBatchResponse | pb.GetBatchResponse | None) -> Batch | None:
        """Note a state that was received, and return it; None if it is not a newer state of this batch.

        grpcio yields None for bytes that are not a message, and an empty message for some pages.

        Raises:
            BatchNotFound: another batch has replaced it.

        """
        message = pb.Batch() if response is None else response.batch
        if message.batch_id != self.subject.batch_id:
            return None
        batch = to_batch(message)
        if self._batch is not None and batch.create_time != self._batch.create_time:
            raise replaced(self.subject, batch)
        self._failure = None
        self._waiting.answered()
        # The first state of a stream may be below the last revision: that of a batch that replaced the one a
        # program knew, or what a fail-over of the database left.
        may_be_below = self._batch is None
        if isinstance(response, pb.WatchBatchResponse):  # unary calls may pass where streams do not
            self._tries = 0
            may_be_below, self._stream_begins = may_be_below or self._stream_begins, False
        if batch.revision < self._revision and not may_be_below:
            return None
        self._has_ended = batch.has_ended
        if batch.revision == self._revision and not self._is_another(batch):
            return None
        self._batch, self._revision = batch, batch.revision
        return batch

    def _is_another(self, batch: Batch) -> bool:
        """Return whether a batch with the last revision is in another state than the last one.

        It is if a fail-over of the database lost changes, and as many others came since.
        """
        if self._batch is None:
            return False
        return (batch.state, batch.last_result_time) != (self._batch.state, self._batch.last_result_time)

    def delay_after(self, failure: Failure | None, now: float) -> float | None:
        """Return how many seconds to wait before the next stream; None if the watch is over.

        Args:
            failure: what ended the last stream; None if the server ended it without an error.
            now: the clock, in seconds.

        Raises:
            CallFailed: no further stream would bring more, or none is allowed.

        """
        if self._has_ended:
            return None
        self._stream_begins = True
        before, self._failure = self._failure, _CUT if failure is None else failure
        failure = self._failure
        came_twice = failure.lacks_status and before is not None and before.lacks_status
        if failure.is_refusal or came_twice:
            raise refused(self.subject, failure) from failure.error
        self._tries += 1
        if not self._retry:
            raise unavailable(self.subject, failure, 0.0, self._tries) from failure.error
        if now >= self._deadline:
            return None
        self._waiting.failed(failure, now)
        return min(self._deadline - now, failure.delay_seconds(self._tries - 1))

    def ended_batch(self, seconds_max: float) -> Batch:
        """Return the batch once the watch is over.

        Args:
            seconds_max: how long the watch was allowed to last, for the message of the error.

        Raises:
            WaitTimeout: the batch has not ended.

        """
        name = f"batch {self.subject.batch_id!r}"
        if self._batch is None:
            why = f" ({self._failure.cause})" if self._failure is not None else ""
            sentence = f"{self.subject.target} did not answer about {name} within {seconds_max:g} s{why}"
        elif not self._batch.has_ended:
            counts = f"{self._batch.ended_jobs:,} of {self._batch.total_jobs:,} jobs have a result"
            sentence = f"{name} did not end within {seconds_max:g} s: {counts}"
        else:
            return self._batch
        raise WaitTimeout(f"{sentence}. Wait longer, or see why with get().stall_reason", self._batch)
