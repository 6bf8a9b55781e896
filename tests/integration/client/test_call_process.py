"""What passes through the call process: deadlines, cancellation, TLS, tokens and the details of errors."""

import asyncio
import pickle
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from batchprogress import (
    BatchNotFound,
    Client,
    GrpcUnusable,
    InvalidRequest,
    Reporter,
    TlsFiles,
    Unauthenticated,
    Unavailable,
    WaitTimeout,
)
from batchprogress._grpc import remote_channel
from batchprogress._reporting import report_channel
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.test_security import SERVICE, TOKEN, Guard
from tests.integration.client.test_timeouts import hanging
from tests.support.certificates import self_signed
from tests.support.progress import Served
from tests.support.silent_server import silent_server

SECONDS_MAX = 60.0
RUNNING = pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING, revision=1)

pytestmark = pytest.mark.usefixtures("_in_a_forked_child")


async def test_tls_and_tokens_pass(progress: Served, tmp_path: Path) -> None:
    """The call process gets the certificates, and the token with each call."""
    await progress.create("b", 1)
    key, certificate = self_signed()
    (tmp_path / "ca.pem").write_bytes(certificate)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Guard(progress.stub, TOKEN).service,))
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    await server.start()
    target, files = f"127.0.0.1:{port}", TlsFiles(ca=tmp_path / "ca.pem")
    reporter = Reporter(target, "b", credentials=files, token=TOKEN)
    reporter.succeeded("a")
    assert await asyncio.to_thread(reporter.close, SECONDS_MAX)
    client = Client(target, credentials=files, token=TOKEN)
    assert (await asyncio.to_thread(list, client.watch("b")))[-1].has_ended
    with pytest.raises(Unauthenticated) as raised:
        await asyncio.to_thread(list, Client(target, credentials=files, token="wrong").watch("b"))
    assert raised.value.reason == "TOKEN_INVALID"
    await server.stop(None)


async def test_errors_have_their_details(target: str) -> None:
    """ErrorInfo and BadRequest come in the trailing metadata."""
    client = Client(target)
    with pytest.raises(BatchNotFound) as missing:
        await asyncio.to_thread(client.get, "b")
    assert missing.value.reason == "BATCH_NOT_FOUND"
    with pytest.raises(InvalidRequest) as invalid:
        await asyncio.to_thread(client.create, "a b", 1)
    assert [violation.field for violation in invalid.value.violations] == ["batch_id"]


async def test_deadlines_hold() -> None:
    """Also those of streams, and although nobody answers."""
    async with silent_server() as target, asyncio.timeout(SECONDS_MAX):
        client = Client(target, timeout=0.3)
        with pytest.raises(Unavailable):
            await asyncio.to_thread(client.get, "b")
        with pytest.raises(WaitTimeout):
            await asyncio.to_thread(client.wait, "b", 0.3)


async def test_closing_ends_a_call_in_flight(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reporter closes without waiting for the deadline of its call."""
    monkeypatch.setattr(report_channel, "TRY_SECONDS_MAX", 10 * SECONDS_MAX)
    async with hanging() as target, asyncio.timeout(SECONDS_MAX):
        reporter = Reporter(target, "b")
        reporter.succeeded("a")
        assert not await asyncio.to_thread(reporter.flush, 0.5)
        await asyncio.to_thread(reporter.close, 0.0)
        assert reporter._sender._thread is not None  # type: ignore[union-attr]  # noqa: SLF001
        await asyncio.to_thread(reporter._sender._thread.join)  # type: ignore[union-attr]  # noqa: SLF001


def test_an_answer_that_is_cut_is_a_broken_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call process may be killed while it writes."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(pickle.dumps(("message", bytes(100)))[:50])
        theirs.shutdown(socket.SHUT_WR)
        monkeypatch.setattr(remote_channel, "connect", lambda: ours)
        with pytest.raises(Unavailable, match="the call process does not work"):
            Client("127.0.0.1:1", retry=False).get("b")


def test_credentials_of_grpc_are_refused_with_a_sentence(target: str) -> None:
    """They cannot be sent to another process."""
    with pytest.raises(GrpcUnusable, match="Give TlsFiles"):
        Client(target, credentials=grpc.ssl_channel_credentials()).get("b")


async def test_a_stream_that_is_closed_ends_on_the_server() -> None:
    """Its watcher closes a socket, and the call process cancels the call."""
    has_ended, for_ever = asyncio.Event(), asyncio.Event()

    async def watch(_request: pb.WatchBatchRequest, _context: object) -> AsyncIterator[pb.WatchBatchResponse]:
        try:
            yield pb.WatchBatchResponse(batch=RUNNING)
            await for_ever.wait()
        finally:
            has_ended.set()

    handler = grpc.unary_stream_rpc_method_handler(
        watch,
        request_deserializer=pb.WatchBatchRequest.FromString,
        response_serializer=pb.WatchBatchResponse.SerializeToString,
    )
    server = grpc.aio.server(options=[("grpc.http2.max_ping_strikes", 0)])  # or it soon ends every call
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"WatchBatch": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    states: Any = Client(f"127.0.0.1:{port}").watch("b")
    await asyncio.to_thread(next, states)
    await asyncio.to_thread(states.close)
    async with asyncio.timeout(SECONDS_MAX):
        await has_ended.wait()
    await server.stop(None)
