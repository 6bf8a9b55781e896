"""All batches of a server in memory, shared by the threads of its calls."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import grpc

from batchprogress.testing._memory_batch import MemoryBatch
from batchprogress.testing._refusals import Refused
from batchprogress.testing._watch_batches import ManyWatch
from batchprogress.v1 import progress_pb2 as pb


class Memory:
    """The batches by their ids. Safe to share between threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batches: dict[str, MemoryBatch] = {}
        self._created = 0

    def create(self, creation: pb.CreateBatchRequest) -> pb.Batch:
        """Create a batch, or return the existing one.

        Raises:
            Refused: BATCH_ENDED or BATCH_CONFLICT.

        """
        with self._changed:
            existing = self._batches.get(creation.batch_id)
            if existing is None or existing.is_replaced_by(creation):
                self._created += 1
                existing = self._batches[creation.batch_id] = MemoryBatch(self._created, creation)
                self._changed.notify_all()
            return _copy(existing.message)

    @contextmanager
    def locked(self, batch_id: str) -> Iterator[MemoryBatch]:
        """Yield a batch that no other thread changes meanwhile.

        Raises:
            Refused: BATCH_NOT_FOUND.

        """
        with self._changed:
            yield self._find(batch_id)
            self._changed.notify_all()

    def change(self, batch_id: str, change: Callable[[MemoryBatch], None]) -> pb.Batch:
        """Change a batch and return it.

        Raises:
            Refused: BATCH_NOT_FOUND, or what the change raises.

        """
        with self.locked(batch_id) as batch:
            change(batch)
            return _copy(batch.message)

    def delete(self, batch_id: str) -> None:
        """Delete a batch that has ended, if it exists.

        Raises:
            Refused: BATCH_PROCESSING.

        """
        with self._changed:
            batch = self._batches.get(batch_id)
            if batch is None:
                return
            if not batch.has_ended:
                text = f"batch {batch_id} is processing: only a batch that has ended can be deleted"
                raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "BATCH_PROCESSING", text)
            del self._batches[batch_id]
            self._changed.notify_all()

    def newest_first(self) -> list[tuple[int, pb.Batch]]:
        """Return all batches, each with the number by which the list is sorted."""
        with self._changed:
            batches = sorted(self._batches.values(), key=lambda one: -one.number)
            return [(-one.number, _copy(one.message)) for one in batches]

    def record(self, reports: list[pb.ReportJobResultRequest]) -> list[pb.ReportedResult]:
        """Record reports, each of which has been checked; return the answer to each, in their order."""
        by_batch: dict[str, list[int]] = defaultdict(list)
        for place, report in enumerate(reports):
            by_batch[report.batch_id].append(place)
        answers: dict[int, pb.ReportedResult] = {}
        for batch_id, places in by_batch.items():
            recorded = self._record(batch_id, [reports[place] for place in places])
            answers.update(zip(places, recorded, strict=True))
        return [answers[place] for place in range(len(reports))]

    def states(
        self,
        request: pb.WatchBatchRequest,
        interval_seconds: float,
        heartbeat_seconds: float | None,
        is_active: Callable[[], bool],
    ) -> Iterator[pb.Batch | None]:
        """Yield the states of a batch until it has ended, and None for each heartbeat.

        Raises:
            Refused: BATCH_NOT_FOUND, also if the batch is deleted or replaced meanwhile.

        """
        with self._changed:
            watched = self._find(request.batch_id)
        revision, sent_at = request.after_revision, float("-inf")

        def has_news() -> bool:
            has_gone = self._batches.get(request.batch_id) is not watched
            is_new = watched.message.revision != revision
            is_due = watched.has_ended or time.monotonic() - sent_at >= interval_seconds
            return not is_active() or has_gone or (is_new and is_due) or (watched.has_ended and not is_new)

        while True:
            with self._changed:
                found = self._wait(has_news, partial(float, sent_at + interval_seconds), heartbeat_seconds)
                if not is_active():
                    return
                if self._find(request.batch_id) is not watched:
                    raise _not_found(request.batch_id)
                state = _copy(watched.message) if found and watched.message.revision != revision else None
            if state is None and found:  # it had ended at that revision
                return
            yield state
            if state is not None:
                revision, sent_at = state.revision, time.monotonic()
                if state.state != pb.BATCH_STATE_PROCESSING:
                    return

    def watched(
        self, watch: ManyWatch, heartbeat_seconds: float | None, is_active: Callable[[], bool]
    ) -> Iterator[pb.WatchBatchesResponse]:
        """Yield the responses of a watch of many batches.

        Raises:
            Refused: too many batches are under way.

        """
        while is_active():
            with self._changed:
                news: list[pb.WatchBatchesResponse] = []

                def has_news(found: list[pb.WatchBatchesResponse] = news) -> bool:
                    found.extend(watch.responses(self._batches.values()))
                    return bool(found) or not is_active()

                if not self._wait(has_news, watch.due_at, heartbeat_seconds):
                    news.append(watch.heartbeat())
            yield from news

    def wake(self) -> None:
        """Let the watches look whether they go on."""
        with self._changed:
            self._changed.notify_all()

    def _wait(
        self, has_news: Callable[[], bool], due_at: Callable[[], float], heartbeat_seconds: float | None
    ) -> bool:
        """Wait for news, with the lock; return False when a heartbeat is due."""
        heartbeat_at = time.monotonic() + (heartbeat_seconds or float("inf"))
        while not has_news():
            now = time.monotonic()
            if now >= heartbeat_at:
                return False
            seconds = min(at for at in (due_at(), heartbeat_at, float("inf")) if at > now) - now
            self._changed.wait(None if seconds == float("inf") else seconds)
        return True

    def _record(self, batch_id: str, reports: list[pb.ReportJobResultRequest]) -> list[pb.ReportedResult]:
        try:
            with self.locked(batch_id) as batch:
                verdicts = batch.record(reports)
                state, revision = batch.message.state, batch.message.revision
        except Refused as refusal:
            return [pb.ReportedResult(error=refusal.as_error()) for _ in reports]
        return [
            pb.ReportedResult(error=verdict.as_error())
            if isinstance(verdict, Refused)
            else pb.ReportedResult(disposition=verdict, batch_state=state, revision=revision)
            for verdict in verdicts
        ]

    def _find(self, batch_id: str) -> MemoryBatch:
        batch = self._batches.get(batch_id)
        if batch is None:
            raise _not_found(batch_id)
        return batch


def _not_found(batch_id: str) -> Refused:
    return Refused(grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND", f"there is no batch {batch_id}")


def _copy(message: pb.Batch) -> pb.Batch:
    copied = pb.Batch()
    copied.CopyFrom(message)
    return copied
