"""The reads of one caller, over the wire."""

import asyncio
from typing import Any

import grpc
import pytest

from batches.store.batch_store import BatchStore
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.security.conftest import Serve, Tokens, bearing
from tests.integration.security.test_turns import second_connection
from tests.support.answers import answered
from tests.support.progress import Served, served, stub_of

SECONDS_MAX = 20.0
READS_MAX = 2


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return an event for which all failure groups wait."""
    event, read = asyncio.Event(), BatchStore.list_failure_groups

    async def wait(*args: Any, **options: Any) -> Any:
        await event.wait()
        return await read(*args, **options)

    monkeypatch.setattr(BatchStore, "list_failure_groups", wait)
    return event


async def reads_up_to_the_limit(greedy: Served, neighbour: Served, answer: asyncio.Event) -> None:
    """One read more than the limit is refused; the neighbour's is not."""
    await greedy.create("b", 1)
    request = pb.ListFailureGroupsRequest(batch_id="b")
    async with asyncio.timeout(SECONDS_MAX):
        calls = {asyncio.ensure_future(greedy.stub.ListFailureGroups(request)) for _ in range(READS_MAX + 1)}
        done, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().exception()
        assert isinstance(refused, grpc.aio.AioRpcError)
        assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (answered(refused).reason, answered(refused).retry_seconds) == ("CALLER_READS", 0.5)
        await neighbour.get("b")
        await greedy.report("b", "j")
        answer.set()
        await asyncio.gather(*waiting)
        await greedy.get("b")


async def test_reads_of_a_token_beyond_the_limit_are_refused(
    serve: Serve, tokens: Tokens, answer: asyncio.Event
) -> None:
    """All connections with tokens of one name share the limit."""
    greedy = tokens.add("greedy", *Role, more=f"reads_max = {READS_MAX}\n")
    neighbour = tokens.add("neighbour", *Role)
    async with (
        serve(tokens_file=tokens.path) as server,
        bearing(server.port, greedy) as one,
        bearing(server.port, neighbour) as other,
    ):
        await reads_up_to_the_limit(one, other, answer)


async def test_reads_of_a_connection_beyond_the_limit_are_refused_without_tokens(
    sqlite_url: str, answer: asyncio.Event
) -> None:
    async with (
        served(sqlite_url, caller_reads_max=READS_MAX) as server,
        second_connection(server) as channel,
    ):
        await reads_up_to_the_limit(server, Served(server.port, channel, stub_of(channel)), answer)
