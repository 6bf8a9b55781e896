"""The limits of one caller, over the wire."""

import asyncio
import json
from typing import Any

import grpc
import pytest

from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.security.conftest import Serve, Tokens, bearing
from tests.support.answers import Answered, answered
from tests.support.progress import Served, progress_process

SERVICE = pb.DESCRIPTOR.services_by_name["ProgressService"].full_name
SECONDS_MAX = 20.0


async def refusal_of(call: object) -> Answered:
    """Return the refusal of a call."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return answered(caught.value)


async def test_calls_beyond_the_rate_are_refused(serve: Serve, tokens: Tokens) -> None:
    """The caller learns when to retry; other callers are not affected."""
    slow = tokens.add("slow", *Role, more="calls_per_second_max = 2\n")
    other = tokens.add("other", *Role)
    async with (
        serve(tokens_file=tokens.path) as server,
        bearing(server.port, slow) as client,
        bearing(server.port, other) as neighbour,
    ):
        refusal = await refusal_of(list_repeatedly(client))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_RATE")
        assert refusal.retry_seconds is not None
        await list_repeatedly(neighbour)
        await asyncio.sleep(refusal.retry_seconds)
        await client.stub.ListBatches(pb.ListBatchesRequest())


async def test_refused_calls_count_towards_the_rate(serve: Serve, tokens: Tokens) -> None:
    """Calls of forbidden and unknown methods count too."""
    token = tokens.add("worker", Role.WORKER, more="calls_per_second_max = 2\n")
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        raw: Any = client.channel
        for method in ("CancelBatch", "NoSuchMethod"):
            call = raw.unary_unary(f"/{SERVICE}/{method}")
            assert "CALLER_RATE" in {(await refusal_of(call(b""))).reason for _ in range(20)}


async def test_log_names_the_caller_of_a_refused_call(sqlite_url: str, tokens: Tokens) -> None:
    """The call may have been forbidden or beyond the rate."""
    token = tokens.add("hammering", Role.WORKER, more="calls_per_second_max = 1\n")
    async with (
        progress_process(
            sqlite_url, PROGRESS_LOG_CALLS="true", PROGRESS_TOKENS_FILE=str(tokens.path)
        ) as server,
        bearing(server.port, token) as client,
    ):
        for _ in range(2):
            await refusal_of(client.stub.CancelBatch(pb.CancelBatchRequest(batch_id="b")))
        await server.logged("RESOURCE_EXHAUSTED")
    calls = [json.loads(line) for line in server.log.splitlines() if '"event": "call"' in line]
    assert [(call["code"], call["caller"]) for call in calls] == [
        ("PERMISSION_DENIED", "hammering"),
        ("RESOURCE_EXHAUSTED", "hammering"),
    ]


async def list_repeatedly(client: Served) -> None:
    """Make more calls than the rate of a second allows, one after the other."""
    for _ in range(20):
        await client.stub.ListBatches(pb.ListBatchesRequest())


async def test_watches_beyond_the_limit_are_refused(serve: Serve, tokens: Tokens) -> None:
    """A closed watch makes room, even for another token of the same name."""
    first = tokens.add("same", *Role, more="watches_max = 1\n")
    second = tokens.add("same", *Role, more="watches_max = 1\n")
    async with (
        serve(tokens_file=tokens.path) as server,
        bearing(server.port, first) as client,
        bearing(server.port, second) as twin,
    ):
        await client.create("b", 1)
        watch = await watching(client)
        refusal = await refusal_of(watching(twin))
        assert (refusal.reason, refusal.retry_seconds) == ("CALLER_WATCHES", 30.0)
        watch.cancel()
        async with asyncio.timeout(SECONDS_MAX):
            while not await is_let_in(twin):  # noqa: ASYNC110  # the server notices the cancellation by itself
                await asyncio.sleep(0.05)


async def test_results_in_flight_beyond_the_limit_are_refused(serve: Serve, tokens: Tokens) -> None:
    """A call is refused or accepted as a whole; a call on its own is accepted even if it is large."""
    token = tokens.add("worker", *Role)
    async with (
        serve(tokens_file=tokens.path, caller_results_in_flight_max=10) as server,
        bearing(server.port, token) as client,
    ):
        await client.create("b", 10_000)
        calls = [asyncio.ensure_future(client.stub.ReportJobResults(results(n, 200))) for n in range(30)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, grpc.aio.AioRpcError)]
        accepted = [one for one in outcomes if isinstance(one, pb.ReportJobResultsResponse)]
        assert len(refused) + len(accepted) == 30
        assert accepted
        assert {(answered(one).reason, answered(one).retry_seconds) for one in refused} == {
            ("CALLER_RESULTS", 0.5)
        }
        assert (await client.get("b")).succeeded_jobs == 200 * len(accepted)
        await client.stub.ReportJobResults(results(99, 200))


def results(call: int, number: int) -> pb.ReportJobResultsRequest:
    """Return a request with a number of results."""
    return pb.ReportJobResultsRequest(
        results=[
            pb.ReportJobResultRequest(batch_id="b", job_id=f"{call}-{job}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
            for job in range(number)
        ]
    )


async def watching(client: Served) -> "grpc.aio.UnaryStreamCall[pb.WatchBatchRequest, pb.WatchBatchResponse]":
    """Open a watch and wait for its first state."""
    watch = client.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
    async for _ in watch:
        break
    return watch


async def is_let_in(client: Served) -> bool:
    """Return whether a watch is accepted."""
    try:
        (await watching(client)).cancel()
    except grpc.aio.AioRpcError:
        return False
    return True
