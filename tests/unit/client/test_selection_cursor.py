"""What the responses of a watch of many batches yield, and how its streams go on."""

from datetime import UTC, datetime, timedelta

import grpc
import pytest

from batchprogress import BatchState, ServerTooOld, TooManyBatches, Unavailable
from batchprogress._calls import selection_cursor
from batchprogress._calls.selection_cursor import SelectionCursor
from batchprogress._grpc.retry import Failure
from batchprogress.v1 import progress_pb2 as pb

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
CUT = Failure(grpc.StatusCode.UNAVAILABLE, "cut")
FIRST_STATES_END = pb.WatchBatchesResponse(resume_token="t")


def cursor(*, retry: bool = True) -> SelectionCursor:
    """Return a cursor that has received nothing."""
    return SelectionCursor(
        "server", labels={"team": "data"}, batch_id_prefix="b", min_interval=0.5, retry=retry
    )


def state(
    batch_id: str, revision: int, state: pb.BatchState.ValueType = pb.BATCH_STATE_PROCESSING, later: int = 0
) -> pb.WatchBatchesResponse:
    """Return the response with a batch."""
    batch = pb.Batch(batch_id=batch_id, revision=revision, state=state)
    batch.create_time.FromDatetime(CREATED + timedelta(seconds=later))
    return pb.WatchBatchesResponse(batch=batch, resume_token=f"t{revision}")


def end(batch_id: str, revision: int) -> pb.WatchBatchesResponse:
    """Return the response with the end of a batch."""
    return state(batch_id, revision, pb.BATCH_STATE_COMPLETED)


def yielded(one: SelectionCursor, *responses: pb.WatchBatchesResponse | None) -> list[tuple[str, int, bool]]:
    """Return the id and revision of each state that is yielded, and whether it is deleted."""
    batches = [batch for response in responses for batch in one.news(response)]
    return [(batch.batch_id, batch.revision, batch.is_deleted) for batch in batches]


def test_next_stream_goes_on_with_the_last_token() -> None:
    one = cursor()
    assert (dict(one.request.labels), one.request.batch_id_prefix) == ({"team": "data"}, "b")
    assert one.request.min_interval.ToMilliseconds() == 500
    yielded(one, state("b", 1), FIRST_STATES_END, state("b", 7))
    one.delay_after(CUT, 0.0)
    assert one.request.resume_token == "t7"  # the server's


def test_state_that_comes_twice_is_yielded_once() -> None:
    """An end, too."""
    one = cursor()
    responses = [state("b", 1), FIRST_STATES_END, end("c", 3)]
    assert yielded(one, *responses) == [("b", 1, False), ("c", 3, False)]
    one.delay_after(CUT, 0.0)
    assert yielded(one, *responses, state("b", 2), state("b", 1)) == [("b", 2, False)]


def test_batch_that_is_not_among_the_first_states_of_the_next_stream_is_deleted() -> None:
    """Its end would have been sent."""
    one = cursor()
    yielded(one, state("a", 1), state("b", 1), FIRST_STATES_END)
    one.delay_after(CUT, 0.0)
    assert yielded(one, state("a", 1), FIRST_STATES_END, FIRST_STATES_END) == [("b", 1, True)]


def test_batch_without_a_revision_is_deleted() -> None:
    """It is yielded as it was last, unless it was never yielded."""
    one = cursor()
    yielded(one, state("b", 4), FIRST_STATES_END)
    gone = pb.WatchBatchesResponse(batch=pb.Batch(batch_id="b"), resume_token="t")
    assert yielded(one, gone, gone) == [("b", 4, True)]


def test_first_state_of_a_stream_may_be_older() -> None:
    """A fail-over of the database lost changes; later ones rise."""
    one = cursor()
    yielded(one, state("b", 9), FIRST_STATES_END)
    one.delay_after(CUT, 0.0)
    assert yielded(one, state("b", 5), FIRST_STATES_END, state("b", 4)) == [("b", 5, False)]


def test_another_batch_of_the_same_id_is_yielded() -> None:
    one = cursor()
    yielded(one, state("b", 9), FIRST_STATES_END, end("b", 10))
    assert yielded(one, state("b", 1, later=5)) == [("b", 1, False)]
    assert one.news(state("b", 2, pb.BATCH_STATE_CANCELLED, later=5))[0].state is BatchState.CANCELLED


def test_remembered_ends_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection_cursor, "ENDS_MAX", 1)
    one = cursor()
    yielded(one, end("a", 1), end("b", 1))
    assert yielded(one, end("b", 1), end("a", 1)) == [("a", 1, False)]


def test_what_is_no_message_yields_nothing() -> None:
    """Grpcio gives None, and an empty message for some pages of proxies; neither changes the token."""
    one = cursor()
    yielded(one, state("b", 3))
    assert yielded(one, None, pb.WatchBatchesResponse()) == []
    assert one.request.resume_token == "t3"  # the server's


def test_refusals_end_the_watch() -> None:
    """An old server and a filter of too many batches; a cut does so only without retries."""
    unknown = Failure(grpc.StatusCode.UNIMPLEMENTED, "no such method", "UNKNOWN_METHOD")
    with pytest.raises(ServerTooOld, match="upgrade the server"):
        cursor().delay_after(unknown, 0.0)
    with pytest.raises(TooManyBatches, match="labels"):
        cursor().delay_after(Failure(grpc.StatusCode.FAILED_PRECONDITION, "many", "TOO_MANY_BATCHES"), 0.0)
    with pytest.raises(Unavailable):
        cursor(retry=False).delay_after(CUT, 0.0)
    one = cursor()
    assert one.delay_after(None, 0.0) >= 0
    assert one.asks_first
    assert dict(one.question.labels) == {"team": "data"}
