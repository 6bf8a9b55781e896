"""What the end of a stream means for a watch."""

import logging
import math
from typing import Any

import grpc
import pytest

from batchprogress._calls.call_errors import Subject
from batchprogress._calls.liveness import HEARTBEAT_SECONDS, SILENT_SECONDS_MAX
from batchprogress._calls.watch_cursor import WatchCursor
from batchprogress._grpc.outage import LASTING_SECONDS
from batchprogress._grpc.retry import Failure
from batchprogress.errors import (
    BatchNotFound,
    PermissionDenied,
    ProxyAnswered,
    Unavailable,
    WaitTimeout,
)
from batchprogress.v1 import progress_pb2 as pb
from tests.unit.client.test_attempts import failed

WITHOUT_STATUS = Failure(grpc.StatusCode.UNKNOWN, "No status received")
CUT = failed(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
PROCESSING = pb.WatchBatchResponse(
    batch=pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=7, total_jobs=2, pending_jobs=1)
)
COMPLETED = pb.WatchBatchResponse(batch=pb.Batch(batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=8))


def cursor(**options: Any) -> WatchCursor:
    """Return the cursor of a new watch."""
    return WatchCursor(Subject("progress:50051", "WatchBatch", "b"), **options)


def test_every_stream_asks_for_the_present_state_and_for_heartbeats() -> None:
    """A server of 0.1 says nothing after a revision that is the present one, as a dead stream does."""
    watch = cursor(after_revision=3, min_interval=0.25)
    for _ in range(2):
        assert (watch.request.batch_id, watch.request.after_revision) == ("b", 0)
        assert watch.request.min_interval.ToMilliseconds() == 250
        assert watch.request.heartbeat_interval.seconds == HEARTBEAT_SECONDS
        watch.advance(PROCESSING)


def test_proxies_that_end_a_stream_after_50_seconds_see_two_heartbeats() -> None:
    assert 2 * HEARTBEAT_SECONDS < 50
    assert SILENT_SECONDS_MAX >= 3 * HEARTBEAT_SECONDS


def test_a_stream_that_breaks_is_followed_by_another_one() -> None:
    """The delays grow while no state arrives, and begin again with one."""
    watch = cursor()
    delays = [watch.delay_after(CUT, 0.0) or 0.0 for _ in range(50)]
    assert 0.05 < max(delays) <= 5.0
    watch.advance(PROCESSING)
    assert (watch.delay_after(CUT, 0.0) or 0.0) <= 0.05


def test_a_watch_is_over_with_the_end_of_its_batch() -> None:
    """A stream that ends without an error, but before the batch, was cut by something in between."""
    watch = cursor()
    watch.advance(PROCESSING)
    assert watch.delay_after(None, 0.0) is not None
    watch.advance(COMPLETED)
    assert watch.delay_after(None, 0.0) is None
    assert cursor().delay_after(None, 0.0) is not None


def test_a_batch_that_was_replaced_ends_a_watch() -> None:
    """Its states are never mixed with those of the batch that has its id now, whatever their revisions."""
    for revision in (1, 7, 8):
        watch = cursor()
        watch.advance(PROCESSING)
        new = pb.WatchBatchResponse()
        new.CopyFrom(PROCESSING)
        new.batch.revision = revision
        new.batch.create_time.FromSeconds(1_000)
        with pytest.raises(BatchNotFound, match="replaced by a batch created at 1970-01-01 00:16:40 UTC"):
            watch.advance(new)


def test_a_first_state_below_the_given_revision_is_that_of_a_new_batch() -> None:
    """Otherwise a program that kept the revision would wait until the new batch has as many."""
    watch = cursor(after_revision=50)
    assert watch.advance(PROCESSING) is not None
    assert watch.advance(PROCESSING) is None
    assert cursor(after_revision=7).advance(PROCESSING) is None


def test_a_first_state_of_a_later_stream_may_be_below_the_last_one() -> None:
    """A fail-over of the database lost changes: the end may come at a revision below the last one."""
    rewound = pb.WatchBatchResponse(batch=pb.Batch(batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=5))
    watch = cursor()
    watch.advance(PROCESSING)
    assert watch.advance(rewound) is None
    watch.delay_after(CUT, 0.0)
    assert watch.advance(pb.GetBatchResponse(batch=rewound.batch)) is None
    assert watch.advance(rewound) is not None
    assert watch.delay_after(None, 0.0) is None


def test_another_state_with_the_last_revision_is_yielded_once() -> None:
    """A fail-over lost changes, and as many results came since."""
    other = pb.Batch()
    other.CopyFrom(PROCESSING.batch)
    other.last_result_time.FromSeconds(1_000)
    watch = cursor()
    watch.advance(PROCESSING)
    assert watch.advance(pb.WatchBatchResponse(batch=other)) is not None
    assert watch.advance(pb.WatchBatchResponse(batch=other)) is None


def test_an_end_with_the_revision_of_another_state_is_yielded() -> None:
    """A fail-over lost one change, and the reconciler made up for it with one."""
    ended = pb.Batch(batch_id="b", state=pb.BATCH_STATE_COMPLETED, revision=7)
    for response in (pb.WatchBatchResponse(batch=ended), pb.GetBatchResponse(batch=ended)):
        watch = cursor()
        watch.advance(PROCESSING)
        watch.delay_after(CUT, 0.0)
        assert watch.advance(response) is not None
        assert watch.delay_after(None, 0.0) is None


def test_a_refusal_ends_a_watch() -> None:
    """No further stream would be answered differently."""
    for code, error_type in (
        (grpc.StatusCode.NOT_FOUND, BatchNotFound),
        (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    ):
        with pytest.raises(error_type, match="progress:50051"):
            cursor().delay_after(failed(code), 0.0)


def test_a_watch_without_retry_ends_with_its_stream() -> None:
    """The error is the same whether the stream broke or was cut."""
    watch = cursor(retry=False)
    watch.advance(PROCESSING)
    for end in (CUT, None):
        # It may have lasted for hours, and does not say for how long it was tried.
        with pytest.raises(Unavailable, match=r"^no answer to WatchBatch of batch 'b' at progress:50051 \("):
            watch.delay_after(end, 0.0)


def test_a_deadline_limits_streams_and_delays() -> None:
    """Once it is over, there is no further stream."""
    watch = cursor(deadline=10.0)
    assert watch.seconds_left(7.0) == 3.0
    assert (watch.delay_after(CUT, 9.999) or 0.0) <= 0.001
    assert watch.delay_after(CUT, 10.0) is None
    assert cursor(deadline=math.inf).seconds_left(7.0) is None


def test_a_wait_that_is_over_raises_with_the_last_state() -> None:
    """The message says how far the batch was, or why there was no answer."""
    watch = cursor(deadline=10.0)
    watch.delay_after(failed(grpc.StatusCode.UNAVAILABLE), 10.0)
    with pytest.raises(WaitTimeout, match=r"did not answer about batch 'b' within 10 s \(a sentence\)"):
        watch.ended_batch(10.0)
    watch.advance(PROCESSING)
    with pytest.raises(WaitTimeout, match="1 of 2 jobs have a result") as raised:
        watch.ended_batch(10.0)
    assert raised.value.batch is not None
    watch.advance(COMPLETED)
    assert watch.ended_batch(10.0).revision == 8


def test_a_failure_is_followed_by_a_unary_call() -> None:
    """Any answer of the server about the batch makes the next call a stream again."""
    watch = cursor()
    assert not watch.asks_first
    watch.delay_after(CUT, 0.0)
    assert watch.asks_first
    assert watch.question.batch_id == "b"
    watch.advance(pb.GetBatchResponse(batch=PROCESSING.batch))
    assert not watch.asks_first


def test_a_unary_answer_does_not_shorten_the_delays() -> None:
    """Where only unary calls pass, states come by them, but not in a hot loop."""
    watch, delays = cursor(), []
    for revision in range(1, 50):
        batch = pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=revision)
        assert watch.advance(pb.GetBatchResponse(batch=batch)) is not None
        delays.append(watch.delay_after(CUT, 0.0) or 0.0)
    assert max(delays) > 0.5


@pytest.mark.parametrize(
    "response", [None, pb.WatchBatchResponse(), pb.WatchBatchResponse(batch=pb.Batch(batch_id="other"))]
)
def test_what_is_not_a_state_of_the_batch_is_ignored(response: pb.WatchBatchResponse | None) -> None:
    """Grpcio makes None or an empty message of some pages."""
    watch = cursor()
    watch.delay_after(CUT, 0.0)
    assert watch.advance(response) is None
    assert watch.asks_first


def test_no_state_comes_twice() -> None:
    """A unary call and the stream after it may give the same one."""
    watch = cursor()
    assert watch.advance(pb.GetBatchResponse(batch=PROCESSING.batch)) is not None
    assert watch.advance(PROCESSING) is None


def test_a_watch_whose_streams_never_pass_ends_with_its_batch() -> None:
    """The unary call tells the end."""
    watch = cursor(after_revision=8)
    watch.delay_after(CUT, 0.0)
    assert watch.advance(pb.GetBatchResponse(batch=COMPLETED.batch)) is None
    assert watch.delay_after(CUT, 0.0) is None


def test_a_page_is_believed_when_it_comes_twice() -> None:
    """A stream that was cut at its end looks the same; then the unary call is answered."""
    watch = cursor()
    for _ in range(5):
        assert watch.delay_after(WITHOUT_STATUS, 0.0) is not None
        watch.advance(pb.GetBatchResponse(batch=PROCESSING.batch))
    watch.delay_after(WITHOUT_STATUS, 0.0)
    with pytest.raises(ProxyAnswered, match="HTTP 200 with a page from progress:50051") as raised:
        watch.delay_after(WITHOUT_STATUS, 0.0)
    assert raised.value.http_status == 200


def test_a_watch_that_waits_long_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """One warning with its cause, and one line when the watch goes on."""
    caplog.set_level(logging.INFO, "batchprogress")
    watch = cursor()
    for seconds in (0.0, LASTING_SECONDS - 1.0):
        watch.delay_after(CUT, seconds)
    watch.advance(PROCESSING)
    assert caplog.messages == []
    for number in range(5):
        failure = Failure(grpc.StatusCode.UNAVAILABLE, "Received http2 header with status: 502")
        watch.delay_after(failure, 100.0 + number * LASTING_SECONDS)
    watch.advance(COMPLETED)
    call = "WatchBatch of batch 'b' at progress:50051"
    assert caplog.messages == [f"{call} waits for an answer: HTTP 502 from a proxy", f"{call} goes on"]
    assert caplog.records[0].levelname == "WARNING"
