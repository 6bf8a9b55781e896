"""A caller with many results does not hold up another one, over the wire."""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from batches.result import JobResult
from batches.store.batch_store import BatchStore
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from services.progress import requests
from services.progress.group_commit import Call
from services.progress.turns import Part, Turns
from tests.integration.security.conftest import Serve, Tokens, bearing
from tests.support.answers import answered
from tests.support.progress import Served, served, stub_of

SECONDS_MAX = 20.0
LARGE = 4_000


@dataclass(slots=True)
class Held:
    """The store's transactions, which wait while `open` is cleared."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    submitted: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    """Released by each call whose results wait."""
    groups: list[dict[str, int]] = field(default_factory=list)
    """How many results of each kind of job (the beginning of its id) a transaction had."""


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    """Return the transactions of the servers of the test."""
    transactions, record, add = Held(), BatchStore.record_results, Turns[Call].add

    async def hold(store: BatchStore, results: Sequence[JobResult], **options: Any) -> Any:
        kinds = [result.job_id.partition("-")[0] for result in results]
        transactions.groups.append({kind: kinds.count(kind) for kind in set(kinds)})
        transactions.entered.set()
        await transactions.open.wait()
        return await record(store, results, **options)

    def submit(self: Turns[Call], caller: Hashable, parts: Sequence[Part[Call]]) -> None:
        add(self, caller, parts)
        transactions.submitted.release()

    monkeypatch.setattr(BatchStore, "record_results", hold)
    monkeypatch.setattr(Turns, "add", submit)
    return transactions


def large_call(**fields: Any) -> pb.ReportJobResultsRequest:
    """Return a request with many results."""
    return pb.ReportJobResultsRequest(
        results=[
            pb.ReportJobResultRequest(
                batch_id="b", job_id=f"large-{n}", outcome=pb.JOB_OUTCOME_SUCCEEDED, **fields
            )
            for n in range(LARGE)
        ]
    )


async def records_between(held: Held, greedy: Served, neighbour: Served) -> None:
    """Freeze the first transaction of a large call, and let a neighbour report meanwhile."""
    await greedy.create("b", 10 * LARGE)
    async with asyncio.timeout(SECONDS_MAX):
        large = asyncio.ensure_future(greedy.stub.ReportJobResults(large_call()))
        await held.entered.wait()
        small = asyncio.ensure_future(neighbour.report("b", "small-1"))
        for _ in (large, small):
            await held.submitted.acquire()
        held.open.set()
        assert (await small).disposition == pb.DISPOSITION_RECORDED
        answers = (await large).results
    assert [one.disposition for one in answers] == [pb.DISPOSITION_RECORDED] * LARGE
    assert held.groups[:2] == [{"large": 2_000}, {"small": 1}]


async def test_callers_take_turns(serve: Serve, tokens: Tokens, held: Held) -> None:
    """A caller is the name of its token."""
    greedy, neighbour = tokens.add("greedy", *Role), tokens.add("neighbour", *Role)
    async with (
        serve(tokens_file=tokens.path) as server,
        bearing(server.port, greedy) as one,
        bearing(server.port, neighbour) as other,
    ):
        await records_between(held, one, other)


async def test_connections_take_turns_without_tokens(sqlite_url: str, held: Held) -> None:
    async with served(sqlite_url) as server, second_connection(server) as channel:
        await records_between(held, server, Served(server.port, channel, stub_of(channel)))


def second_connection(server: Served) -> grpc.aio.Channel:
    """Return a channel that shares no connection with that of the server's own client."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options)


async def test_results_that_are_refused_count_towards_the_limit(
    serve: Serve, tokens: Tokens, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that were sent count, and a call beyond the limit is refused before any of them is checked."""
    token = tokens.add("worker", *Role)
    async with (
        serve(tokens_file=tokens.path, caller_results_in_flight_max=LARGE) as server,
        bearing(server.port, token) as client,
    ):
        await client.create("b", 10)
        first = asyncio.ensure_future(client.report("b", "small-1"))
        await held.entered.wait()
        checked: list[object] = []
        monkeypatch.setattr(requests, "to_result", checked.append)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.stub.ReportJobResults(large_call(attempt=-1))
        assert (answered(caught.value).reason, checked) == ("CALLER_RESULTS", [])
        held.open.set()
        await first
