"""Whether the answer to CreateBatch is a new batch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from batchprogress import AsyncClient, Client
from batchprogress._calls import creation, requests
from batchprogress._calls.attempts import Attempts, Patience
from batchprogress._grpc.retry import Failure
from batchprogress.errors import ServerTooOld
from batchprogress.models import BatchState
from batchprogress.testing._refusals import Refused
from batchprogress.testing._rpc import answers
from batchprogress.v1 import operations_pb2, operations_pb2_grpc, progress_pb2_grpc
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


class _OldServicer(progress_pb2_grpc.ProgressServiceServicer):
    """Creates batches as version 0.1 does, which ignores unknown fields."""

    def __init__(self) -> None:
        self.created = 0

    @answers
    def CreateBatch(self, _request: pb.CreateBatchRequest) -> pb.CreateBatchResponse:  # noqa: N802  # the contract
        self.created += 1
        return response(None)


class _NoOperations(operations_pb2_grpc.OperationsServiceServicer):
    """Answers as a server without this service does."""

    @answers
    def GetServerInfo(  # noqa: N802  # the contract
        self, _request: operations_pb2.GetServerInfoRequest
    ) -> operations_pb2.GetServerInfoResponse:
        raise Refused(grpc.StatusCode.UNIMPLEMENTED, "UNIMPLEMENTED", "unknown method")


@pytest.fixture
def old_server() -> Iterator[tuple[_OldServicer, str]]:
    """Run a server without OperationsService; return its address, too."""
    servicer = _OldServicer()  # type: ignore[abstract]  # all other calls are unimplemented
    server = grpc.server(ThreadPoolExecutor(2))
    progress_pb2_grpc.add_ProgressServiceServicer_to_server(servicer, server)
    operations = _NoOperations()  # type: ignore[abstract]
    operations_pb2_grpc.add_OperationsServiceServicer_to_server(operations, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None).wait()


def test_server_that_would_ignore_notify_url_creates_nothing(old_server: tuple[_OldServicer, str]) -> None:
    """Its batch would end without a webhook, and nobody would notice."""
    servicer, target = old_server
    with Client(target) as client:
        with pytest.raises(ServerTooOld, match=r"does not know notify_url.*: upgrade") as raised:
            client.create("b", 1, notify_url="https://app.example/hooks")
        assert (raised.value.reason, servicer.created) == ("NOTIFY_URL_IGNORED", 0)
        assert client.create("b", 1).batch_id == "b"


async def test_event_loops_notice_a_server_that_would_ignore_notify_url(
    old_server: tuple[_OldServicer, str],
) -> None:
    servicer, target = old_server
    async with AsyncClient(target) as client:
        with pytest.raises(ServerTooOld, match="does not know notify_url"):
            await client.create("b", 1, notify_url="https://app.example/hooks")
    assert servicer.created == 0
