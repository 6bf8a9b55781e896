"""The history of a batch in memory is bounded, and keeps what tells most."""

from google.protobuf.timestamp_pb2 import Timestamp

from batchprogress.testing._memory_history import POINTS_MAX, MemoryHistory
from batchprogress.v1 import progress_pb2 as pb


def test_history_of_many_changes_keeps_both_ends_of_a_silence() -> None:
    history = MemoryHistory(pb.Batch(total_jobs=2_000, create_time=Timestamp(seconds=0)))
    for number in range(1, 2_001):
        seconds = number if number <= 1_000 else number + 500
        history.add(pb.Batch(total_jobs=2_000, succeeded_jobs=number), Timestamp(seconds=seconds))
    assert len(history.points) == POINTS_MAX
    points = {(one.time.seconds, one.succeeded_jobs) for one in history.points}
    assert {(0, 0), (1_000, 1_000), (1_501, 1_001), (2_500, 2_000)} <= points


def test_change_without_other_counts_is_no_point_unless_the_batch_ends() -> None:
    history = MemoryHistory(pb.Batch(total_jobs=2, create_time=Timestamp(seconds=0)))
    history.add(pb.Batch(total_jobs=2, sealed=True), Timestamp(seconds=5))
    assert len(history.points) == 1
    history.add(pb.Batch(total_jobs=2, complete_time=Timestamp(seconds=9)), Timestamp(seconds=9))
    assert [one.time.seconds for one in history.points] == [0, 9]
