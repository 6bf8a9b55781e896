"""Watches of many batches in memory: what each of them is sent next. Not thread-safe."""

import base64
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import grpc

from batchprogress.errors import FieldViolation
from batchprogress.testing._checks import seconds_of
from batchprogress.testing._memory_batch import MemoryBatch, now
from batchprogress.testing._refusals import Refused
from batchprogress.v1 import progress_pb2 as pb

BATCHES_MAX = 1_000
INTERVAL_SECONDS = 1.0


class ManyWatch:
    """One watch.

    Args:
        request: the request, which has been checked.

    Raises:
        Refused: the resume_token is of another call.

    """

    def __init__(self, request: pb.WatchBatchesRequest) -> None:
        self._filter = [sorted(request.labels.items()), request.batch_id_prefix]
        self._labels, self._prefix = dict(request.labels), request.batch_id_prefix
        self._since = _read(request.resume_token, self._filter) if request.resume_token else None
        self._begun_after: int | None = None
        self._sent: dict[str, tuple[int, int, float]] = {}
        self._ended: set[int] = set()
        self._is_complete = False
        self.interval_seconds = (
            seconds_of(request.min_interval) if request.HasField("min_interval") else INTERVAL_SECONDS
        )

    def responses(self, batches: Iterable[MemoryBatch]) -> Sequence[pb.WatchBatchesResponse]:
        """Return what is sent now.

        Args:
            batches: all batches.

        Raises:
            Refused: too many batches are under way.

        """
        ordered = sorted(batches, key=lambda one: -one.number)
        if self._begun_after is None:
            self._begun_after = ordered[0].number if ordered else 0
        matching = [one for one in ordered if self._selects(one.message)]
        if sum(not one.has_ended for one in matching) > BATCHES_MAX:
            text = f"more than {BATCHES_MAX:,} matching batches are processing"
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "TOO_MANY_BATCHES", text)
        found = list(self._gone(ordered)) + list(self._newer(matching))
        token = _token(now().ToMicroseconds(), self._filter)
        responses = [pb.WatchBatchesResponse(batch=one, resume_token=token) for one in found]
        if not self._is_complete:
            self._is_complete = True
            responses.append(pb.WatchBatchesResponse(resume_token=token))
        return responses

    def heartbeat(self) -> pb.WatchBatchesResponse:
        """Return a response without a batch."""
        return pb.WatchBatchesResponse(resume_token=_token(now().ToMicroseconds(), self._filter))

    def due_at(self) -> float:
        """Return when the next state may be sent that waits for the interval."""
        pauses = (sent_at + self.interval_seconds for _, _, sent_at in self._sent.values())
        return min((one for one in pauses if one > time.monotonic()), default=float("inf"))

    def _selects(self, batch: pb.Batch) -> bool:
        return batch.batch_id.startswith(self._prefix) and self._labels.items() <= batch.labels.items()

    def _gone(self, batches: Sequence[MemoryBatch]) -> Iterator[pb.Batch]:
        existing = {one.number for one in batches}
        for batch_id, (number, _, _) in tuple(self._sent.items()):
            if number not in existing:
                del self._sent[batch_id]
                yield pb.Batch(batch_id=batch_id)

    def _newer(self, batches: Sequence[MemoryBatch]) -> Iterator[pb.Batch]:
        """Yield the newer states: of batches under way, and the ends of those that were, or are new."""
        for one in sorted(batches, key=lambda one: one.has_ended):  # those under way first
            number, revision, sent_at = self._sent.get(one.message.batch_id, (0, 0, float("-inf")))
            is_new = (number, revision) != (one.number, one.message.revision)
            is_due = one.has_ended or time.monotonic() - sent_at >= self.interval_seconds
            if not is_new or not is_due or not self._is_watched(one):
                continue
            copied = pb.Batch()
            copied.CopyFrom(one.message)
            if one.has_ended:
                self._ended.add(one.number)
                self._sent.pop(one.message.batch_id, None)
            else:
                self._sent[one.message.batch_id] = one.number, one.message.revision, time.monotonic()
            yield copied

    def _is_watched(self, one: MemoryBatch) -> bool:
        if not one.has_ended:
            return True
        if one.number in self._ended:
            return False
        was_under_way = one.message.batch_id in self._sent or one.number > (self._begun_after or 0)
        ended_at = one.message.complete_time.ToMicroseconds()
        return was_under_way or (self._since is not None and ended_at >= self._since)


def _token(microseconds: int, of: object) -> str:
    return base64.urlsafe_b64encode(json.dumps([microseconds, of]).encode()).decode()


def _read(token: str, of: Any) -> int:
    try:
        microseconds, token_of = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError):
        microseconds, token_of = None, None
    if token_of != json.loads(json.dumps(of)) or type(microseconds) is not int:
        violations = [FieldViolation("resume_token", "is not a token of this call with these filters")]
        text = "invalid: resume_token"
        raise Refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", text, violations)
    return microseconds
