"""How a batch in memory grew."""

from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.v1 import progress_pb2 as pb

POINTS_MAX = 300
"""The limit of the contract."""


class MemoryHistory:
    """The points of a batch, at most POINTS_MAX. Not thread-safe.

    Args:
        batch: the batch as it was created.

    """

    def __init__(self, batch: pb.Batch) -> None:
        self.points = [_point_of(batch, batch.create_time)]

    def add(self, batch: pb.Batch, time: Timestamp) -> None:
        """Add the state after a change; nothing if neither the counts changed nor the batch ended by it."""
        point = _point_of(batch, time)
        if batch.complete_time != time and point == _point_at(self.points[-1], time):
            return
        self.points.append(point)
        if len(self.points) > POINTS_MAX:
            # The first and the newest stay, and so do both ends of a long silence.
            del self.points[min(range(1, POINTS_MAX), key=self._nanoseconds)]

    def _nanoseconds(self, place: int) -> int:
        """Return how long a point held, or how long the one before held if that was longer."""
        before, own, after = (one.time.ToNanoseconds() for one in self.points[place - 1 : place + 2])
        return max(own - before, after - own)


def _point_at(point: pb.HistoryPoint, time: Timestamp) -> pb.HistoryPoint:
    moved = pb.HistoryPoint()
    moved.CopyFrom(point)
    moved.time.CopyFrom(time)
    return moved


def _point_of(batch: pb.Batch, time: Timestamp) -> pb.HistoryPoint:
    return pb.HistoryPoint(
        time=time,
        total_jobs=batch.total_jobs,
        succeeded_jobs=batch.succeeded_jobs,
        failed_jobs=batch.failed_jobs,
        skipped_jobs=batch.skipped_jobs,
    )
