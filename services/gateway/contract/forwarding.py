"""Passes each call on to the progress server."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from connectrpc.request import RequestContext
from connectrpc.server import Endpoint

from services.gateway.contract.anonymous_reads import AnonymousReads, age_seconds_max_of, is_large
from services.gateway.contract.answers import Answer, answer_of, busy, draining, is_from_server
from services.gateway.contract.caller import Callers, Metadata
from services.gateway.contract.messages import BINARY, JSON, Converter, Encoded
from services.gateway.contract.methods import Method
from services.gateway.contract.upstream import Upstream, announced_heartbeats

Context = RequestContext[Any, Any]
AnyEndpoint = Any
"""An endpoint of connectrpc, whose types have no public names."""
MILLISECONDS = 1_000
REFUSED = frozenset({grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED})
"""Codes that mean that a token may not do this."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long calls may take, and how many streams there may be."""

    call_seconds_max: float
    """Of a unary call; a caller may ask for less."""
    streams_max: int
    """Streams at a time."""


class Forwarder:
    """Answers calls with what the progress server answers.

    Args:
        upstream: the connections to the server.
        callers: whose token is used.
        bounds: of calls and streams.

    """

    def __init__(self, upstream: Upstream, callers: Callers, bounds: Bounds) -> None:
        self._upstream = upstream
        self._callers = callers
        self._bounds = bounds
        self._anonymous_reads = AnonymousReads()
        self._converter = Converter()
        self._streams: set[grpc.aio.UnaryStreamCall[bytes, bytes]] = set()
        self._is_draining = False

    def endpoint(self, method: Method) -> AnyEndpoint:
        """Return the endpoint of a method."""
        if method.is_stream:
            return Endpoint.server_stream(method.info, partial(self._stream, method))
        return Endpoint.unary(method.info, partial(self._unary, method))

    def end_streams(self) -> None:
        """End all streams, and refuse new ones, so that their callers go on elsewhere."""
        self._is_draining = True
        for stream in self._streams:
            stream.cancel()

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._anonymous_reads.close()
        self._converter.close()
        await self._upstream.close()

    async def call(
        self, method: Method, request: bytes, metadata: Metadata, seconds: float | None = None
    ) -> bytes:
        """Make a unary call.

        Args:
            method: the method.
            request: its request, in protobuf's binary format.
            metadata: the metadata of the call.
            seconds: how long it may take; None: as long as any call.

        Returns:
            The response, in protobuf's binary format.

        Raises:
            Answer: the call has failed.

        """
        timeout = self._bounds.call_seconds_max if seconds is None else seconds
        try:
            return await self._upstream.unary(method.path)(request, timeout=timeout, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            failed = error
        raise failed_call(failed, self._upstream)

    async def read(self, method: Method, request: bytes, headers: Mapping[str, str]) -> bytes:
        """Make a unary call that only reads, with the token of a caller or with the gateway's own.

        Args:
            method: the method, which only reads.
            request: its request, in protobuf's binary format.
            headers: the headers of the caller.

        Returns:
            The response, in protobuf's binary format.

        Raises:
            Answer: the call has failed.

        """
        return await self._answer(method, request, headers, BINARY)

    async def read_json(self, method: Method, request: bytes, headers: Mapping[str, str]) -> bytes:
        """Make a unary call for a caller that wants JSON.

        Args:
            method: the method, which only reads.
            request: its request, in protobuf's binary format.
            headers: the headers of the caller.

        Returns:
            The response as ProtoJSON.

        Raises:
            Answer: the call has failed.

        """
        return await self._answer(method, request, headers, JSON)

    async def answer(
        self, method: Method, sent: Encoded, headers: Mapping[str, str], seconds: float | None = None
    ) -> bytes:
        """Make a unary call for a caller.

        Args:
            method: the method.
            sent: its request.
            headers: the headers of the caller.
            seconds: how long it may take; None: as long as any call.

        Returns:
            The response in the format of the request.

        Raises:
            Answer: the call has failed.

        """
        request = await self._converter.to_request(sent, method.request)
        return await self._answer(method, request, headers, sent.codec, seconds)

    async def _answer(
        self,
        method: Method,
        request: bytes,
        headers: Mapping[str, str],
        codec: str,
        seconds: float | None = None,
    ) -> bytes:
        """Make a unary call for a caller; a read without a token waits for its turn."""
        metadata = self._callers.metadata(headers, is_read=method.is_read)

        async def answer() -> bytes:
            response = await self.call(method, request, metadata, seconds)
            return await self._converter.to_response(response, method.response, codec)

        if not method.is_read or "authorization" in headers:
            return await answer()
        question = (method.path, request, codec, seconds)
        age_seconds_max = age_seconds_max_of(headers.get("cache-control"))
        try:
            return await self._anonymous_reads.get(
                question, answer, age_seconds_max, is_large=is_large(request, method.request)
            )
        except Answer as refused:
            if refused.grpc_code not in REFUSED or "authorization" not in dict(metadata):
                raise
            raise self._callers.own_token_refused(refused.message) from None

    async def _unary(self, method: Method, sent: Encoded, context: Context) -> bytes:
        return await self.answer(method, sent, context.request_headers, self._seconds(context))

    async def _stream(self, method: Method, sent: Encoded, context: Context) -> AsyncIterator[bytes]:
        metadata = self._callers.metadata(context.request_headers, is_read=method.is_read)
        request = await self._converter.to_request(sent, method.request)
        if self._is_draining:
            raise draining()
        if len(self._streams) >= self._bounds.streams_max:
            raise busy("this gateway has too many open streams; try again")
        with self._upstream.stream(method.path) as open_stream:
            stream = open_stream(request, metadata=metadata)
            self._streams.add(stream)
            try:
                async for response in self._responses(stream, context.response_headers):
                    yield await self._converter.to_response(response, method.response, sent.codec)
            finally:
                self._streams.discard(stream)
                stream.cancel()

    async def _responses(
        self, stream: grpc.aio.UnaryStreamCall[bytes, bytes], headers: MutableMapping[str, str]
    ) -> AsyncIterator[bytes]:
        try:
            headers.update(await announced_heartbeats(stream))
            async for response in stream:
                yield response
        except grpc.aio.AioRpcError as error:
            failed = error
        except asyncio.CancelledError:
            if not self._is_draining or _is_cancelled():
                raise
            raise draining() from None
        else:
            return
        raise failed_call(failed, self._upstream)

    def _seconds(self, context: Context) -> float:
        asked = context.timeout_ms
        limit = self._bounds.call_seconds_max
        return limit if asked is None else min(limit, asked / MILLISECONDS)


def failed_call(error: grpc.aio.AioRpcError, upstream: Upstream) -> Answer:
    """Translate a failed call, and open new connections if the server was not reached.

    Args:
        error: how the call failed.
        upstream: the connections.

    """
    if error.code() is grpc.StatusCode.UNAVAILABLE and not is_from_server(error):
        upstream.renew()
    return answer_of(error)


def _is_cancelled() -> bool:
    """Return whether this task is cancelled, and not only the call that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
