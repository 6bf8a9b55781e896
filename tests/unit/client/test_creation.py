"""Whether the answer to CreateBatch is a new batch."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from batchprogress._calls import creation, requests
from batchprogress._calls.attempts import Attempts, Patience
from batchprogress._grpc.retry import Failure
from batchprogress.errors import ServerTooOld
from batchprogress.models import BatchState
from batchprogress.v1 import progress_pb2 as pb

CREATED = datetime(2026, 11, 28, 3, tzinfo=UTC)
STARTED = 100.0


def response(lifetime_seconds: float | None) -> pb.CreateBatchResponse:
    """Return an answer with a batch that ended so long after its creation; None: it is processing."""
    batch = pb.Batch(batch_id="b", total_jobs=1, state=pb.BATCH_STATE_PROCESSING)
    batch.create_time.FromDatetime(CREATED)
    if lifetime_seconds is not None:
        batch.state = pb.BATCH_STATE_COMPLETED
        batch.complete_time.FromDatetime(CREATED + timedelta(seconds=lifetime_seconds))
    return pb.CreateBatchResponse(batch=batch)


def attempts(if_ended: str, *, tries: int = 1) -> Attempts:
    """Return the attempts of a creation that began at 100 s, after some that failed."""
    options: dict[str, Any] = {"sealed": True, "display_name": "", "labels": None, "if_ended": if_ended}
    made = Attempts("progress:50051", requests.create("b", 1, **options), Patience(), STARTED)
    for _ in range(tries - 1):
        made.delay_after(Failure(grpc.StatusCode.UNAVAILABLE, "cut"), STARTED)
    return made


@pytest.mark.parametrize("if_ended", ["error", "replace"])
def test_server_that_ignores_if_ended_is_too_old(if_ended: str) -> None:
    """An older server returns the ended batch, however short it lived."""
    for lifetime in (0.001, 3_600.0):
        with pytest.raises(ServerTooOld, match=r"was completed at 2026-11-28 .*: upgrade") as raised:
            attempts(if_ended).read(response(lifetime), STARTED + 5.0)
        assert (raised.value.reason, raised.value.batch_id) == ("IF_ENDED_IGNORED", "b")


@pytest.mark.parametrize("if_ended", ["return", "error", "replace"])
def test_a_new_batch_is_returned_in_silence(if_ended: str, caplog: pytest.LogCaptureFixture) -> None:
    """One without jobs ends as it is created."""
    for lifetime in (None, 0.0):
        assert attempts(if_ended).read(response(lifetime), STARTED + 5.0).batch_id == "b"
    assert caplog.messages == []


@pytest.mark.parametrize("if_ended", ["return", "error", "replace"])
def test_a_batch_that_an_earlier_try_created_may_have_ended(
    if_ended: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its jobs were quick, and the answer to its creation was lost."""
    batch = attempts(if_ended, tries=2).read(response(4.0), STARTED + 5.0)
    assert batch.state is BatchState.COMPLETED
    assert caplog.messages == []


def test_a_batch_that_lived_longer_than_the_call_is_an_older_one() -> None:
    """Whatever became of the earlier tries."""
    with pytest.raises(ServerTooOld):
        attempts("replace", tries=2).read(response(6.0), STARTED + 5.0)


def test_a_returned_batch_that_had_ended_is_a_loud_warning(caplog: pytest.LogCaptureFixture) -> None:
    """It says when the batch ended, and what to do."""
    assert attempts("return").read(response(3_600.0), STARTED + 0.1).has_ended
    (message,) = caplog.messages
    assert message.startswith("batch 'b' was not created: it exists and was completed at 2026-11-28 04:00:00")
    assert message.endswith("Give each run an id of its own, or choose if_ended='error' or 'replace'")


def test_server_that_ignores_the_limit_of_failures_is_too_old() -> None:
    """Its batch would never be cancelled. A batch without a limit that is asked for without one is right."""
    call = requests.create("b", 1, sealed=True, display_name="", labels=None, if_ended="return")
    limited = replace(call, check=creation.check_of("return", max_failed_jobs=5))
    made = Attempts("progress:50051", limited, Patience(), STARTED)
    with pytest.raises(ServerTooOld, match="does not know the failure limit") as raised:
        made.read(response(None), STARTED)
    assert (raised.value.reason, raised.value.batch_id) == ("FAILURE_LIMIT_IGNORED", "b")
    answer = response(None)
    answer.batch.failure_limit.jobs = 5
    assert made.read(answer, STARTED).max_failed_jobs == 5


def test_limit_of_zero_is_sent() -> None:
    """It is a limit: the first failure cancels."""
    assert creation.failure_limit(0, None) == pb.FailureLimit(jobs=0)
    assert creation.failure_limit(None, 0) == pb.FailureLimit(percent=0)
    assert creation.failure_limit(None, None) is None


def test_two_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="max_failed_jobs or max_failed_percent, not both"):
        creation.failure_limit(0, 5)
