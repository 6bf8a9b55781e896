"""Batches with another prefix do not exist for a caller, in any method."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.progress.test_watching_many import watching
from tests.integration.security.conftest import Serve, Tokens, bearing, first_answer
from tests.support.answers import answered
from tests.support.progress import Served

SAME_ID = (("x-request-id", "same"),)
THEIRS, NOBODYS = "mails-1", "other-1"
"""A batch that exists, with another prefix; a batch with the caller's prefix that was never created."""

ABOUT_A_BATCH: dict[str, dict[str, Any]] = {
    "AddJobs": {"additional_jobs": 1, "request_id": "r"},
    "SealBatch": {},
    "CancelBatch": {},
    "GetBatch": {},
    "ListJobResults": {},
    "ListFailureGroups": {},
    "ListPendingJobs": {},
    "GetBatchHistory": {},
    "GetJobResult": {"job_id": "1"},
    "ListRepairs": {},
    "WatchBatch": {},
    "CreateWatchToken": {},
    "ReportJobResult": {"job_id": "j", "outcome": pb.JOB_OUTCOME_SUCCEEDED},
}
"""Every method with a batch_id except CreateBatch and DeleteBatch, with the other fields of its request."""


@pytest_asyncio.fixture
async def scoped(serve: Serve, tokens: Tokens) -> AsyncIterator[tuple[Served, Served]]:
    """Create THEIRS; yield a client for all batches and one for the prefix `other-`, with every role."""
    everything, own = tokens.add("all", *Role), tokens.add("own", *Role, prefix="other-")
    async with (
        serve(tokens_file=tokens.path) as server,
        bearing(server.port, everything) as owner,
        bearing(server.port, own) as client,
    ):
        await owner.create(THEIRS, 2, sealed=False)
        yield owner, client


def test_every_method_about_a_batch_is_tested() -> None:
    methods = pb.DESCRIPTOR.services_by_name["ProgressService"].methods
    about = {one.name for one in methods if "batch_id" in one.input_type.fields_by_name}
    assert about == {*ABOUT_A_BATCH, "CreateBatch", "DeleteBatch"}


@pytest.mark.parametrize("method", ABOUT_A_BATCH)
async def test_foreign_batch_looks_like_an_unknown_one(scoped: tuple[Served, Served], method: str) -> None:
    """The two answers are equal byte for byte, except for the id."""
    owner, client = scoped
    before = await owner.get(THEIRS)
    foreign, unknown = [await refusal_of(client, method, batch_id) for batch_id in (THEIRS, NOBODYS)]
    assert foreign == unknown
    assert foreign[0] == "NOT_FOUND"
    assert (await owner.get(THEIRS)).revision == before.revision


async def test_foreign_batch_is_not_deleted(scoped: tuple[Served, Served]) -> None:
    """The answer is that to an unknown batch: nothing tells that it exists."""
    owner, client = scoped
    await owner.stub.CancelBatch(pb.CancelBatchRequest(batch_id=THEIRS))
    for batch_id in (THEIRS, NOBODYS):
        answer = await client.stub.DeleteBatch(pb.DeleteBatchRequest(batch_id=batch_id))
        assert answer == pb.DeleteBatchResponse()
    assert (await owner.get(THEIRS)).state == pb.BATCH_STATE_CANCELLED


async def test_foreign_results_do_not_fail_the_others(scoped: tuple[Served, Served]) -> None:
    """Among many results, those of a foreign batch are refused like those of an unknown one."""
    owner, client = scoped
    await client.create("other-2", 1)
    ids = (THEIRS, "other-2", NOBODYS)
    results = [
        pb.ReportJobResultRequest(batch_id=one, job_id="j", outcome=pb.JOB_OUTCOME_SUCCEEDED) for one in ids
    ]
    answers = (await client.stub.ReportJobResults(pb.ReportJobResultsRequest(results=results))).results
    foreign, recorded, unknown = answers
    assert recorded.disposition == pb.DISPOSITION_RECORDED
    foreign.error.message = foreign.error.message.replace(THEIRS, NOBODYS)
    assert foreign == unknown
    assert unknown.error.reason == "BATCH_NOT_FOUND"
    assert (await owner.get(THEIRS)).pending_jobs == 2


async def test_foreign_batches_are_not_listed(scoped: tuple[Served, Served]) -> None:
    """ListBatches pages through the caller's batches only; prefixes are case-sensitive."""
    owner, client = scoped
    for number in range(3):
        await owner.create(f"other-{number}", 1)
        await owner.create(f"mails-x{number}", 1)
    await owner.create("Other-9", 1)
    listed, token = [], ""
    while True:
        page = await client.stub.ListBatches(pb.ListBatchesRequest(page_size=1, page_token=token))
        listed += [batch.batch_id for batch in page.batches]
        token = page.next_page_token
        if not token:
            break
    assert listed == ["other-2", "other-1", "other-0"]


@pytest.mark.parametrize(
    ("asked", "listed"),
    [("other-1", ["other-1"]), ("oth", ["other-1", "other-0"]), ("mails", []), ("other-1x", [])],
)
async def test_prefix_of_a_search_stays_within_that_of_the_caller(
    scoped: tuple[Served, Served], asked: str, listed: list[str]
) -> None:
    """The numbers of batches do, too."""
    owner, client = scoped
    for batch_id in ("other-0", "mails-x", "other-1"):
        await owner.create(batch_id, 1)
    page = await client.stub.ListBatches(pb.ListBatchesRequest(batch_id_prefix=asked))
    assert ([batch.batch_id for batch in page.batches], page.total_size) == (listed, len(listed))
    page = await client.stub.ListBatches(pb.ListBatchesRequest(batch_id_prefix=asked, page_size=1))
    assert page.total_size == len(listed)


async def test_batch_is_created_within_the_prefix(scoped: tuple[Served, Served]) -> None:
    """A foreign id is refused whether or not the batch exists; a generated id has the prefix."""
    _, client = scoped
    refusals = set()
    for batch_id in (THEIRS, "mails-2"):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.create(batch_id, 1)
        refusals.add((answered(caught.value).code, answered(caught.value).reason, caught.value.details()))
    prefix_told = "the ids of this caller's batches begin with other-"
    assert refusals == {(grpc.StatusCode.PERMISSION_DENIED, "FOREIGN_BATCH_ID", prefix_told)}
    assert (await client.create("", 1)).batch_id.startswith("other-")


async def refusal_of(client: Served, method: str, batch_id: str) -> tuple[str, str, dict[str, Any]]:
    """Call a method that must fail; return what the caller learns, with the id of the batch replaced."""
    request = getattr(pb, f"{method}Request")(batch_id=batch_id, **ABOUT_A_BATCH[method])
    call = getattr(client.stub, method)(request, metadata=SAME_ID)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await first_answer(call, is_stream=method.startswith("Watch"))
    assert len(THEIRS) == len(NOBODYS)  # the bytes contain the lengths
    error = caught.value
    trailer = dict(error.trailing_metadata() or ())
    details = bytes(trailer.pop("grpc-status-details-bin")).replace(batch_id.encode(), b"ID")
    return error.code().name, (error.details() or "").replace(batch_id, "ID"), {**trailer, "details": details}


async def test_watch_of_many_sees_the_callers_batches_only(scoped: tuple[Served, Served]) -> None:
    """Whatever prefix it asks for."""
    owner, client = scoped
    await owner.create("other-2", 1)
    for prefix in ("", "oth", "other-2"):
        async with watching(client, batch_id_prefix=prefix) as watch:
            assert [batch.batch_id for batch in await watch.first()] == ["other-2"]
    async with watching(client, batch_id_prefix="mails-") as watch:
        assert await watch.first() == []
        await owner.create("mails-2", 1)
        await owner.create("other-3", 1)
    async with watching(client) as watch:
        await watch.first()
        await owner.create("mails-3", 1)
        await owner.create("other-4", 1)
        assert (await watch.batch()).batch_id == "other-4"


async def test_resume_token_of_another_prefix_is_invalid(scoped: tuple[Served, Served]) -> None:
    """Even if its filters are the same."""
    owner, client = scoped
    async with watching(owner) as watch:
        await watch.first()
    async with watching(client, resume_token=watch.token) as other:
        assert (await other.refusal()).fields == ("resume_token",)
