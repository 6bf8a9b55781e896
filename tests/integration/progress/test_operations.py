"""What OperationsService tells about the reconciler's passes and about the server."""

import grpc
import pytest

from batches.passes import PassKind, PassNumbers
from batches.store.batch_store import BatchStore
from batchprogress.v1 import operations_pb2 as pb
from process.version import VERSION
from tests.integration.progress.test_bad_input import refused
from tests.support.progress import Served

NUMBERS = PassNumbers(
    batches_looked_at=3,
    batches_repaired=1,
    batches_left={"still_pending": 2},
    errors=1,
    cut_short="its time was up",
)


async def test_passes_are_listed_in_pages_newest_first(progress: Served, store: BatchStore) -> None:
    await store.end_pass(await store.begin_pass(PassKind(manual=True)), NUMBERS)
    await store.begin_pass()
    first = await progress.operations.ListPasses(pb.ListPassesRequest(page_size=1))
    second = await progress.operations.ListPasses(
        pb.ListPassesRequest(page_size=1, page_token=first.next_page_token)
    )
    (running,), (ended,) = first.passes, second.passes
    assert (running.manual, running.HasField("end_time"), second.next_page_token) == (False, False, "")
    assert (ended.manual, ended.batches_looked_at, ended.batches_repaired) == (True, 3, 1)
    assert (dict(ended.batches_left), ended.errors, ended.cut_short) == (
        {"still_pending": 2},
        1,
        "its time was up",
    )
    assert ended.start_time.ToDatetime() <= ended.end_time.ToDatetime()


async def test_the_server_tells_its_version_and_its_last_pass(progress: Served, store: BatchStore) -> None:
    before = await progress.operations.GetServerInfo(pb.GetServerInfoRequest())
    assert (before.version, before.HasField("last_pass_time")) == (VERSION, False)
    await store.end_pass(await store.begin_pass(), NUMBERS)
    after = await progress.operations.GetServerInfo(pb.GetServerInfoRequest())
    assert after.HasField("last_pass_time")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.ListPassesRequest(page_size=-1), "page_size"),
        (pb.ListPassesRequest(page_token="!"), "page_token"),
    ],
)
async def test_an_invalid_page_is_refused(
    progress: Served, request_: pb.ListPassesRequest, field: str
) -> None:
    answer = await refused(progress.operations.ListPasses(request_))
    assert (answer.code, answer.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))
