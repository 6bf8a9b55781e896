"""Where a watch of many batches is, and what its responses mean. Pure: the clock is passed in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import grpc
from google.protobuf import duration_pb2

from batchprogress._calls.call_errors import Subject, refused, unavailable
from batchprogress._calls.convert import to_batch
from batchprogress._calls.liveness import HEARTBEAT_SECONDS
from batchprogress._calls.waiting import LoggedWaiting, Waiting
from batchprogress._grpc.retry import TRY_SECONDS_MAX, Failure
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2 as pb

ENDS_MAX = 10_000
"""Ends that are remembered, so that one that comes twice is yielded once: those of some minutes."""
_CUT = Failure(grpc.StatusCode.UNAVAILABLE, "the stream was cut")


class SelectionCursor:
    """What a watch of many batches has received, from which the next stream goes on.

    Args:
        target: the server.
        labels: only batches with all of these labels.
        batch_id_prefix: only batches whose ids begin with this.
        min_interval: the least time between two states of a batch, in seconds.
        retry: whether a stream that breaks is followed by another one.
        waiting: is told how streams end. Default: logs it.

    """

    question_method = "ListBatches"

    def __init__(  # noqa: PLR0913  # options, by keyword only
        self,
        target: str,
        *,
        labels: Mapping[str, str] | None,
        batch_id_prefix: str,
        min_interval: float,
        retry: bool,
        waiting: Waiting | None = None,
    ) -> None:
        self.subject = Subject(target, "WatchBatches")
        self._waiting = LoggedWaiting(self.subject) if waiting is None else waiting
        self._request = pb.WatchBatchesRequest(
            labels=labels or {},
            batch_id_prefix=batch_id_prefix,
            min_interval=duration_pb2.Duration(),
            heartbeat_interval=duration_pb2.Duration(seconds=HEARTBEAT_SECONDS),
        )
        self._request.min_interval.FromMicroseconds(round(min_interval * 1e6))
        self._retry = retry
        self._tries = 0
        self._failure: Failure | None = None
        self._known: dict[str, Batch] = {}
        self._ends: dict[str, tuple[datetime, int]] = {}
        self._begun: set[str] | None = set()

    @property
    def request(self) -> pb.WatchBatchesRequest:
        """The request of the next stream."""
        return self._request

    @property
    def asks_first(self) -> bool:
        """Whether a unary call comes before the next stream, as before that of one batch."""
        return self._failure is not None

    @property
    def question(self) -> pb.ListBatchesRequest:
        """The request of the unary call."""
        return pb.ListBatchesRequest(labels=self._request.labels, page_size=1)

    def question_seconds(self, _now: float) -> float:
        """Return how long the unary call may take."""
        return TRY_SECONDS_MAX

    def seconds_left(self, _now: float) -> float | None:
        """Return None: a stream may last for ever."""
        return None

    def news(self, response: pb.WatchBatchesResponse | pb.ListBatchesResponse | None) -> Sequence[Batch]:
        """Note a response; return the states to yield.

        grpcio yields None for bytes that are not a message, and an empty message for some pages.
        """
        if isinstance(response, pb.ListBatchesResponse):
            self._waiting.answered()
            return ()
        if response is None or not response.resume_token:
            return ()
        self._failure, self._tries = None, 0
        self._waiting.answered()
        self._request.resume_token = response.resume_token
        if not response.HasField("batch"):
            return self._complete()
        if not response.batch.revision:
            return self._without({response.batch.batch_id})
        return self._newer(to_batch(response.batch))

    def delay_after(self, failure: Failure | None, now: float) -> float:
        """Return how many seconds to wait before the next stream.

        Raises:
            CallFailed: no further stream would bring more, or none is allowed.

        """
        self._begun = set()
        before, self._failure = self._failure, failure or _CUT
        came_twice = self._failure.lacks_status and before is not None and before.lacks_status
        if self._failure.is_refusal or came_twice:
            raise refused(self.subject, self._failure) from self._failure.error
        self._tries += 1
        if not self._retry:
            raise unavailable(self.subject, self._failure, 0.0, self._tries) from self._failure.error
        self._waiting.failed(self._failure, now)
        return self._failure.delay_seconds(self._tries - 1)

    def _newer(self, batch: Batch) -> Sequence[Batch]:
        known = self._known.get(batch.batch_id)
        is_same = known is not None and known.create_time == batch.create_time
        # The first state of a stream may be below the known one: a fail-over of the database lost changes.
        is_first = self._begun is not None and batch.batch_id not in self._begun
        if self._begun is not None:
            self._begun.add(batch.batch_id)
        if batch.has_ended:
            return self._ended(batch)
        if known is not None and is_same:
            version = batch.revision, batch.last_result_time
            if version == (known.revision, known.last_result_time):
                return ()
            if batch.revision < known.revision and not is_first:
                return ()
        self._known[batch.batch_id] = batch
        return (batch,)

    def _ended(self, batch: Batch) -> Sequence[Batch]:
        self._known.pop(batch.batch_id, None)
        end = batch.create_time, batch.revision
        if self._ends.pop(batch.batch_id, None) == end:
            self._ends[batch.batch_id] = end
            return ()
        self._ends[batch.batch_id] = end
        if len(self._ends) > ENDS_MAX:
            del self._ends[next(iter(self._ends))]
        return (batch,)

    def _complete(self) -> Sequence[Batch]:
        """Return the batches that are gone, when the first states of a stream are complete."""
        begun, self._begun = self._begun, None
        return () if begun is None else self._without(self._known.keys() - begun)

    def _without(self, batch_ids: set[str]) -> Sequence[Batch]:
        gone = [self._known.pop(batch_id) for batch_id in sorted(batch_ids) if batch_id in self._known]
        return [replace(batch, is_deleted=True) for batch in gone]
