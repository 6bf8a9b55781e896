"""Clients and reporters of a server that asks for TLS and a token."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio

from batchprogress import AsyncClient, AsyncReporter, BatchState, Client, Reporter, Unauthenticated
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from tests.integration.client.either import opened
from tests.support.certificates import self_signed
from tests.support.progress import Served, Stub

SECONDS_MAX = 60.0
TOKEN = "secret"
NO_TOKEN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "no")
SERVICE = "batchprogress.v1.ProgressService"


class Guard:
    """Passes calls with a valid token to the server behind it, and refuses the others as the server does."""

    def __init__(self, stub: Stub, token: str) -> None:
        self._stub = stub
        self._token = token

    @property
    def service(self) -> grpc.GenericRpcHandler:
        """The methods to serve."""
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
            await context.abort(NO_TOKEN.code, NO_TOKEN.message, NO_TOKEN.trailing_metadata())


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server with TLS, and credentials that trust it."""

    target: str
    credentials: grpc.ChannelCredentials


@pytest_asyncio.fixture
async def guarded(progress: Served) -> AsyncIterator[Guarded]:
    """Put TLS and a token in front of the test's server."""
    key, certificate = self_signed()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Guard(progress.stub, TOKEN).service,))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    await server.start()
    yield Guarded(f"127.0.0.1:{port}", grpc.ssl_channel_credentials(certificate))
    await server.stop(None)


async def test_reports_and_watches_over_tls_with_a_token(progress: Served, guarded: Guarded) -> None:
    """Threads and event loops report and watch through TLS with a token."""
    await progress.create("b", 20)
    threaded = Reporter(guarded.target, "b", credentials=guarded.credentials, token=TOKEN)
    async with AsyncReporter(guarded.target, "b", credentials=guarded.credentials, token=TOKEN) as looped:
        for number in range(10):
            threaded.succeeded(f"t{number}")
            looped.succeeded(f"l{number}")
    assert await asyncio.to_thread(threaded.close, SECONDS_MAX)
    options: dict[str, Any] = {"credentials": guarded.credentials, "token": TOKEN}
    for kind in (Client, AsyncClient):
        async with opened(kind, guarded.target, **options) as client:
            last = (await client.every("watch", "b"))[-1]
        assert (last.state, last.succeeded_jobs) == (BatchState.COMPLETED, 20)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_watch_without_a_valid_token_raises_at_once(
    guarded: Guarded, kind: type[Client | AsyncClient]
) -> None:
    """A token is not tried again: the server would answer the same."""
    async with opened(kind, guarded.target, credentials=guarded.credentials, token="wrong") as client:
        with pytest.raises(Unauthenticated) as raised:
            await client.every("watch", "b")
    assert (raised.value.reason, raised.value.batch_id) == ("TOKEN_INVALID", "b")


async def test_a_report_waits_for_a_valid_token(progress: Served, guarded: Guarded) -> None:
    """A report whose token has expired is sent again, and recorded once the token is valid."""
    await progress.create("b", 1)
    tokens = iter(["expired"])
    reporter = Reporter(
        guarded.target, "b", credentials=guarded.credentials, token=lambda: next(tokens, TOKEN)
    )
    reporter.succeeded("a")
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    assert (reporter.counts.recorded, reporter.counts.dropped) == (1, {})


async def test_a_server_with_an_unknown_certificate_gets_no_report(
    progress: Served, guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has one line about it, without the token."""
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
