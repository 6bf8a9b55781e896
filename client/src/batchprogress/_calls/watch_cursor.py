"""Where a watch is, and what the end of a stream means for it. Pure: the clock is passed in."""

import math

import grpc
from google.protobuf import duration_pb2

from batchprogress._calls.call_errors import Subject, cause_of, refused, unavailable
from batchprogress._calls.convert import to_batch
from batchprogress._grpc.retry import RETRIED_CODES, Failure, failure_of
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
        after_revision: only newer states are asked for; 0 asks for the present one too.
        min_interval: the least time between two states, in seconds.
        deadline: when the watch is over, by the clock that the methods are given. Default: never.
        retry: whether a stream that breaks is followed by another one.

    """

    def __init__(
        self,
        subject: Subject,
        *,
        after_revision: int = 0,
        min_interval: float = 0.0,
        deadline: float = math.inf,
        retry: bool = True,
    ) -> None:
        self._subject = subject
        self._revision = after_revision
        self._min_interval = duration_pb2.Duration()
        self._min_interval.FromMicroseconds(round(min_interval * 1e6))
        self._deadline = deadline
        self._retry = retry
        self._tries = 0
        self._batch: Batch | None = None
        self._failure: Failure | None = None

    @property
    def request(self) -> pb.WatchBatchRequest:
        """The request of the next stream."""
        return pb.WatchBatchRequest(
            batch_id=self._subject.batch_id, after_revision=self._revision, min_interval=self._min_interval
        )

    def seconds_left(self, now: float) -> float | None:
        """Return how long the next stream may last; None if it may last for ever."""
        return None if self._deadline == math.inf else max(0.0, self._deadline - now)

    def advance(self, message: pb.Batch) -> Batch:
        """Note a state that was received, and return it."""
        self._batch, self._failure = to_batch(message), None
        self._revision, self._tries = message.revision, 0
        return self._batch

    def delay_after(self, error: grpc.RpcError | None, now: float) -> float | None:
        """Return how many seconds to wait before the next stream; None if the watch is over.

        Args:
            error: what ended the last stream; None if the server ended it without an error.
            now: the clock, in seconds.

        Raises:
            CallFailed: no further stream would bring more, or none is allowed.

        """
        if error is None and (self._revision > 0 if self._batch is None else self._batch.has_ended):
            return None
        self._failure = _CUT if error is None else failure_of(error)
        if self._failure.code not in RETRIED_CODES:
            raise refused(self._subject, self._failure) from error
        self._tries += 1
        if not self._retry:
            raise unavailable(self._subject, self._failure, 0.0, self._tries) from error
        if now >= self._deadline:
            return None
        return min(self._deadline - now, self._failure.delay_seconds(self._tries - 1))

    def ended_batch(self, seconds_max: float) -> Batch:
        """Return the batch once the watch is over.

        Args:
            seconds_max: how long the watch was allowed to last, for the message of the error.

        Raises:
            WaitTimeout: the batch has not ended.

        """
        name = f"batch {self._subject.batch_id!r}"
        if self._batch is None:
            why = f" ({cause_of(self._failure.message)})" if self._failure is not None else ""
            sentence = f"{self._subject.target} did not answer about {name} within {seconds_max:g} s{why}"
        elif not self._batch.has_ended:
            counts = f"{self._batch.ended_jobs:,} of {self._batch.total_jobs:,} jobs have a result"
            sentence = f"{name} did not end within {seconds_max:g} s: {counts}"
        else:
            return self._batch
        raise WaitTimeout(f"{sentence}. Wait longer, or see why with get().stall_reason", self._batch)
