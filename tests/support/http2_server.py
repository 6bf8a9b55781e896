"""A small HTTP/2 server that answers as a proxy, a broken server, or our server would."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

Headers = list[tuple[str, str]]
READ_BYTES = 65_536
OUR_DOMAIN = "batchprogress"
GRPC_HEADERS: Headers = [(":status", "200"), ("content-type", "application/grpc")]
PAGE = b"<html>a proxy's page</html>"
_FRAME_BYTES = 5
"""What gRPC puts before a message: a flag and its length."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a request is answered: headers and a body, each may be missing, then one of several ends.

    Without another end the stream ends with the last of its headers or data.
    """

    headers: Headers = field(default_factory=lambda: GRPC_HEADERS)
    body: bytes = b""
    trailers: Headers | None = None
    """Ends the stream with trailers."""
    reset_code: int | None = None
    """Ends the stream with RST_STREAM and this code."""
    goaway_code: int | None = None
    """Closes the connection with GOAWAY and this code, instead of headers and body."""
    closes: bool = False
    """Closes the connection."""
    hangs: bool = False
    """Leaves the stream open."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was received whole."""

    method: str
    """For example GetBatch."""
    message: bytes
    """Serialized."""


def grpc_status(
    code: int, message: str = "", *, reason: str = "", domain: str = OUR_DOMAIN, body: bytes = b""
) -> Answer:
    """Answer with a gRPC status; with a reason also with an ErrorInfo, as our server does."""
    trailers = [("grpc-status", str(code)), ("grpc-message", message)]
    if reason:
        info = any_pb2.Any()
        info.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain))
        status = status_pb2.Status(code=code, message=message, details=[info])
        packed = base64.b64encode(status.SerializeToString()).decode().rstrip("=")
        trailers.append(("grpc-status-details-bin", packed))
    return Answer(body=body, trailers=trailers)


def http_status(status: int, body: bytes = PAGE) -> Answer:
    """Answer as a proxy does: an HTTP status with a page."""
    return Answer([(":status", str(status)), ("content-type", "text/html")], body)


def ok(*messages: Message) -> Answer:
    """Answer with messages and the status OK."""
    return grpc_status(0, body=b"".join(map(framed, messages)))


def framed(message: Message) -> bytes:
    """Return a message as gRPC frames it, uncompressed."""
    raw = message.SerializeToString()
    return b"\0" + len(raw).to_bytes(_FRAME_BYTES - 1, "big") + raw


@asynccontextmanager
async def http2_server(answer_to: Callable[[Request], Answer]) -> AsyncIterator[str]:
    """Serve without TLS on a free port, and yield its address."""
    connections: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer)
        try:
            await _Connection(reader, writer, answer_to).serve()
        except (OSError, ProtocolError):
            pass  # the client has gone
        finally:
            connections.discard(writer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in connections:
            writer.transport.abort()
        await server.wait_closed()


class _Connection:
    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer_to: Callable[[Request], Answer],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._answer_to = answer_to
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self._methods: dict[int, str] = {}
        self._bodies: dict[int, bytes] = {}

    async def serve(self) -> None:
        """Answer every request until the client or an answer closes the connection."""
        self._h2.initiate_connection()
        await self._flush()
        is_open = True
        while is_open and (data := await self._reader.read(READ_BYTES)):
            for event in self._h2.receive_data(data):
                if isinstance(event, RequestReceived):
                    self._methods[event.stream_id] = _path(event).rpartition("/")[2]
                    self._bodies[event.stream_id] = b""
                elif isinstance(event, DataReceived):
                    self._bodies[event.stream_id] += event.data
                    self._h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif isinstance(event, StreamEnded) and is_open:
                    is_open = self._answer(event.stream_id)
            await self._flush()

    def _answer(self, stream: int) -> bool:
        """Answer a request; return whether the connection stays open."""
        message = self._bodies.pop(stream)[_FRAME_BYTES:]
        answer = self._answer_to(Request(self._methods.pop(stream), message))
        if answer.goaway_code is not None:
            self._h2.close_connection(answer.goaway_code, last_stream_id=0)
            return False
        ends_later = answer.closes or answer.hangs
        ends_with_body = not ends_later and answer.trailers is None and answer.reset_code is None
        if answer.headers:
            self._h2.send_headers(stream, answer.headers, end_stream=ends_with_body and not answer.body)
        if answer.body:
            self._h2.send_data(stream, answer.body, end_stream=ends_with_body)
        if answer.trailers is not None:
            self._h2.send_headers(stream, answer.trailers, end_stream=True)
        if answer.reset_code is not None:
            self._h2.reset_stream(stream, answer.reset_code)
        return not answer.closes

    async def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()


def _path(request: RequestReceived) -> str:
    return dict(request.headers)[b":path"].decode()
