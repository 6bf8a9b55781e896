"""The gateway in the event loop of a test or as a process, and an HTTP client without a library."""

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote

from google.protobuf.message import Message

from services.gateway.settings import GatewaySettings
from services.gateway.wiring import gateway_server
from tests.support.progress import ROOT, ProgressProcess, serving, start_from

SECONDS_MAX = 30
"""An answer takes milliseconds, and much longer on a busy machine."""
PROGRESS = "batchprogress.v1.ProgressService"
OPERATIONS = "batchprogress.v1.OperationsService"
JSON = "application/json"
WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
PREFIX_BYTES = 5
COMPRESSED, END, WEB_END = 0x01, 0x02, 0x80
"""The flags of an envelope."""


class Details(NamedTuple):
    """The parts of an error in Connect's JSON."""

    code: str
    reason: str
    fields: tuple[str, ...] = ()


def details_of(error: Mapping[str, Any]) -> Details:
    """Return the parts of an error, which must have exactly one ErrorInfo."""
    by_type = {one["type"]: one for one in error["details"]}
    assert len(by_type) == len(error["details"])
    info = by_type["google.rpc.ErrorInfo"]["debug"]
    assert info["domain"] == "batchprogress"
    bad = by_type.get("google.rpc.BadRequest", {"debug": {"fieldViolations": []}})
    return Details(
        error["code"], info["reason"], tuple(one["field"] for one in bad["debug"]["fieldViolations"])
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Details:
        """The parts of the error."""
        return details_of(self.json)


class Frame(NamedTuple):
    """A message of a stream, or its end."""

    flags: int
    data: bytes

    @property
    def json(self) -> Any:
        """The data, parsed as JSON."""
        return json.loads(self.data)


def enveloped(data: bytes, flags: int = 0) -> bytes:
    """Return a message with the prefix of streams."""
    return bytes([flags]) + len(data).to_bytes(PREFIX_BYTES - 1, "big") + data


@dataclass(frozen=True, slots=True)
class Door:
    """An HTTP client of a gateway."""

    port: int
    tls: ssl.SSLContext | None = None
    headers: dict[str, str] = field(default_factory=dict)
    """Sent with each request."""

    async def call(self, method: str, *, service: str = PROGRESS, **fields: Any) -> Answer:
        """Make a unary call with JSON, with these fields."""
        return await self.post(f"/{service}/{method}", json.dumps(fields).encode())

    async def post(self, path: str, body: bytes, kind: str = JSON, **headers: str) -> Answer:
        """Send a body of a content type. Underscores in the names of headers are sent as hyphens."""
        return await self.send("POST", path, body, content_type=kind, **headers)

    async def get(self, method: str, *, service: str = PROGRESS, **fields: Any) -> Answer:
        """Make a unary call by GET, with JSON in the query."""
        return await self.send(
            "GET", f"/{service}/{method}?encoding=json&message={quote(json.dumps(fields))}"
        )

    async def get_binary(self, method: str, message: Message) -> Answer:
        """Make a unary call by GET, with a binary message in the query."""
        sent = base64.urlsafe_b64encode(message.SerializeToString()).decode().rstrip("=")
        return await self.send("GET", f"/{PROGRESS}/{method}?encoding=proto&base64=1&message={sent}")

    async def send(self, verb: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """Send a request."""
        async with self.answering(verb, path, body, headers) as (status, named, reader):
            async with asyncio.timeout(SECONDS_MAX):
                raw = b"" if status in WITHOUT_BODY else await _body(named, reader)
        return Answer(status, named, raw)

    @asynccontextmanager
    async def stream(
        self, method: str, body: bytes, kind: str = "application/connect+json", **headers: str
    ) -> AsyncIterator[AsyncIterator[Frame]]:
        """Open a stream of ProgressService while the context is open."""
        headers |= {"content_type": kind}
        path = f"/{PROGRESS}/{method}"
        async with self.answering("POST", path, enveloped(body), headers) as (status, named, reader):
            assert status == 200, (status, named)
            yield _frames(parts_of(named, reader))

    @asynccontextmanager
    async def watch(self, batch_id: str, **fields: Any) -> AsyncIterator[AsyncIterator[Frame]]:
        """Watch a batch with JSON while the context is open."""
        body = json.dumps({"batchId": batch_id, **fields}).encode()
        async with self.stream("WatchBatch", body) as frames:
            yield frames

    @asynccontextmanager
    async def answering(
        self, verb: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> AsyncIterator[tuple[int, dict[str, str], asyncio.StreamReader]]:
        """Send a request; yields the status, the headers and the rest of the answer while it is open."""
        named = {"host": "127.0.0.1", "connection": "close", "content-length": str(len(body))}
        named |= {name.replace("_", "-"): value for name, value in (self.headers | dict(headers)).items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=self.tls)
        try:
            writer.write(f"{verb} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
            async with asyncio.timeout(SECONDS_MAX):
                status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            answered = dict(line.lower().split(": ", 1) for line in lines if line)
            yield int(status.split()[1]), answered, reader
        finally:
            writer.close()


async def _body(headers: Mapping[str, str], reader: asyncio.StreamReader) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    if "transfer-encoding" not in headers:  # 304 has no body
        return await reader.read()
    return b"".join([part async for part in parts_of(headers, reader)])


async def parts_of(headers: Mapping[str, str], reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Yield the chunks of a body; a body that is cut raises IncompleteReadError."""
    if "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
        return
    assert headers["transfer-encoding"] == "chunked"
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)


async def _frames(parts: AsyncIterator[bytes]) -> AsyncIterator[Frame]:
    buffer = b""
    async with asyncio.timeout(SECONDS_MAX):
        async for part in parts:
            buffer += part
            while len(buffer) >= PREFIX_BYTES + (size := int.from_bytes(buffer[1:PREFIX_BYTES], "big")):
                end = PREFIX_BYTES + size
                yield Frame(buffer[0], buffer[PREFIX_BYTES:end])
                buffer = buffer[end:]
    assert not buffer


@asynccontextmanager
async def gateway(progress_target: str, **settings: Any) -> AsyncIterator[Door]:
    """Serve the gateway in this event loop while the context is open."""
    chosen = GatewaySettings(**{"listen": "127.0.0.1:0", "progress_target": progress_target, **settings})
    async with gateway_server(chosen) as (server, _):
        yield Door(server.port)


@asynccontextmanager
async def gateway_process(progress_target: str, **environment: str) -> AsyncIterator[ProgressProcess]:
    """Run `python -m services.gateway` while the context is open."""
    async with serving(await start(GATEWAY_PROGRESS_TARGET=progress_target, **environment)) as server:
        yield server


async def start(**environment: str) -> asyncio.subprocess.Process:
    """Start the gateway with its log on a pipe."""
    return await start_from(ROOT, {"GATEWAY_LISTEN": "127.0.0.1:0", **environment}, "services.gateway")
