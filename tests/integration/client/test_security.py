"""Reporters and watches beside a server that asks for TLS and a token."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from batchprogress import AsyncReporter, Reporter, watch, watch_async
from batchprogress.v1 import progress_pb2 as pb
from tests.support.progress import Served, Stub
from tests.support.tls import self_signed

SECONDS_MAX = 60.0
TOKEN = "secret"
SERVICE = "batchprogress.v1.ProgressService"


class Guard:
    """Hands calls with a valid token on to the server behind it, as a proxy does."""

    def __init__(self, stub: Stub, token: str) -> None:
        """Take a stub of the server, and the token that is valid."""
        self._stub = stub
        self._token = token

    @property
    def service(self) -> grpc.GenericRpcHandler:
        """What a server serves."""
        report = grpc.unary_unary_rpc_method_handler(
            self._report,
            request_deserializer=pb.ReportJobResultsRequest.FromString,
            response_serializer=pb.ReportJobResultsResponse.SerializeToString,
        )
        watch = grpc.unary_stream_rpc_method_handler(
            self._watch,
            request_deserializer=pb.WatchBatchRequest.FromString,
            response_serializer=pb.WatchBatchResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(
            SERVICE, {"ReportJobResults": report, "WatchBatch": watch}
        )

    async def _report(self, request: pb.ReportJobResultsRequest, context: Any) -> pb.ReportJobResultsResponse:
        await self._require_token(context)
        return await self._stub.ReportJobResults(request)

    async def _watch(
        self,
        request: pb.WatchBatchRequest,
        context: Any,
    ) -> AsyncIterator[pb.WatchBatchResponse]:
        await self._require_token(context)
        async for message in self._stub.WatchBatch(request):
            yield message

    async def _require_token(self, context: Any) -> None:
        given = dict(context.invocation_metadata()).get("authorization")
        if given != f"Bearer {self._token}":
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no")


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server with TLS: where it is, and what trusts it."""

    target: str
    credentials: grpc.ChannelCredentials


@pytest_asyncio.fixture
async def guarded(progress: Served) -> AsyncIterator[Guarded]:
    """TLS and a token in front of the test's server."""
    key, certificate = self_signed()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Guard(progress.stub, TOKEN).service,))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    await server.start()
    yield Guarded(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(certificate))
    await server.stop(None)


async def test_reports_and_watches_over_tls_with_a_token(progress: Served, guarded: Guarded) -> None:
    """Threads and event loops report and watch through TLS with their token, and all of it arrives."""
    await progress.create("b", 20)
    threaded = Reporter(guarded.target, "b", credentials=guarded.credentials, token=TOKEN)
    async with AsyncReporter(guarded.target, "b", credentials=guarded.credentials, token=TOKEN) as looped:
        for number in range(10):
            threaded.succeeded(f"t{number}")
            looped.succeeded(f"l{number}")
    assert await asyncio.to_thread(threaded.close, SECONDS_MAX)
    options: dict[str, Any] = {"credentials": guarded.credentials, "token": TOKEN}
    seen = await asyncio.to_thread(lambda: [*watch(guarded.target, "b", **options)])
    also = [batch async for batch in watch_async(guarded.target, "b", **options)]
    assert seen[-1].state == also[-1].state == pb.BATCH_STATE_COMPLETED
    assert seen[-1].succeeded_jobs == 20


async def test_a_token_that_is_replaced_loses_nothing(progress: Served, guarded: Guarded) -> None:
    """A report whose token has expired waits, and is recorded as soon as the token is a valid one."""
    await progress.create("b", 1)
    tokens = iter(["expired"])
    reporter = Reporter(
        guarded.target, "b", credentials=guarded.credentials, token=lambda: next(tokens, TOKEN)
    )
    reporter.succeeded("a")
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    assert (reporter.counts.recorded, reporter.counts.dropped) == (1, {})


async def test_a_stranger_gets_nothing(
    progress: Served, guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    """A server whose certificate is not the one that is trusted gets nothing; the log has one line of it."""
    caplog.set_level(logging.INFO, "batchprogress")
    await progress.create("b", 1)
    _, other = self_signed()
    reporter = Reporter(guarded.target, "b", credentials=grpc.ssl_channel_credentials(other), token=TOKEN)
    reporter.succeeded("a")
    assert not await asyncio.to_thread(reporter.flush, 1.0)
    assert reporter.counts.pending == 1
    (line,) = caplog.messages
    assert "certificate" in line.lower()
    assert TOKEN not in line
    await asyncio.to_thread(reporter.close, 0.0)
    assert (await progress.get("b")).succeeded_jobs == 0
