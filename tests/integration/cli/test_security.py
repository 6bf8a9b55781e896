"""The command line with a server that asks for TLS and a token."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from batchprogress.cli.session import opened
from batchprogress.tls import TlsFiles
from batchprogress.v1 import progress_pb2 as pb
from rpc.answers.refusal import Refusal
from tests.integration.cli.command import CommandLine
from tests.support.certificates import self_signed

TOKEN = "secret"
NO_TOKEN = Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "no")
SERVICE = "batchprogress.v1.ProgressService"


async def list_batches(request: pb.ListBatchesRequest, context: Any) -> pb.ListBatchesResponse:
    """Answer callers with the token, as the server does."""
    del request
    if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
        await context.abort(NO_TOKEN.code, NO_TOKEN.message, NO_TOKEN.trailing_metadata())
    return pb.ListBatchesResponse(batches=[pb.Batch(batch_id="b", state=pb.BATCH_STATE_PROCESSING)])


@dataclass(frozen=True, slots=True)
class Place:
    """The address of a server, and the file with its certificate."""

    server: str
    ca: Path


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Place]:
    """Run a server with TLS and a certificate that no system trusts."""
    key, certificate = self_signed()
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        list_batches,
        request_deserializer=pb.ListBatchesRequest.FromString,
        response_serializer=pb.ListBatchesResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler(SERVICE, {"ListBatches": method})
    server.add_generic_rpc_handlers((service,))
    credentials = grpc.ssl_server_credentials([(key, certificate)])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate)
    yield Place(f"127.0.0.1:{port}", ca)
    await server.stop(None)


async def test_tls_and_token_are_read_from_files(guarded: Place, tmp_path: Path) -> None:
    """The line break after the token is not sent."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="ascii")
    cli = CommandLine(guarded.server)
    ended = await cli.run("list", "--json", "--ca", str(guarded.ca), "--token-file", str(file))
    assert (ended.code, ended.err, [batch["batch_id"] for batch in ended.json]) == (0, "", ["b"])


async def test_a_missing_token_ends_a_command_at_once(guarded: Place) -> None:
    """The exit code is 6, and the sentence says what to give."""
    ended = await CommandLine(guarded.server).run("list", BATCHPROGRESS_CA=str(guarded.ca))
    assert (ended.code, ended.out) == (6, "")
    sentence = "asks for a token: give a valid one with --token-file"
    assert ended.err == f"batchprogress: the server at {guarded.server} {sentence}\n"


async def test_a_certificate_file_that_cannot_be_used_is_a_wrong_argument(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    ended = await CommandLine("127.0.0.1:1").run("list", "--ca", str(empty))
    assert (ended.code, ended.out) == (2, "")
    assert f"{empty} is empty" in ended.err
    assert "Traceback" not in ended.err


def test_a_watch_of_hours_reads_renewed_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TlsFiles does so when the server cannot be reached; the credentials of gRPC would stay as they were."""
    monkeypatch.setattr(logging.getLogger("batchprogress"), "handlers", [])  # a session adds one
    _, certificate = self_signed()
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificate)
    with opened(ca=ca) as session:
        assert isinstance(session.async_client.connection.credentials, TlsFiles)


async def test_a_server_with_an_unknown_certificate_is_not_trusted(guarded: Place, tmp_path: Path) -> None:
    """It gets no token, and counts as unavailable."""
    _, other = self_signed()
    ca = tmp_path / "other.pem"
    ca.write_bytes(other)
    command = ("list", "--ca", str(ca), "--timeout", "3")
    ended = await CommandLine(guarded.server).run(*command, GRPC_VERBOSITY="NONE")
    assert (ended.code, ended.out) == (5, "")
    waiting, sentence = ended.err.splitlines()
    assert "certificate" in waiting.lower()
    assert sentence.startswith(f"batchprogress: the server at {guarded.server} did not answer for 3 s")
