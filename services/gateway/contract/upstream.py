"""The connections to the progress server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from batchprogress import TlsFiles
from rpc.serving.server import METADATA_BYTES_MAX

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The largest answer: a page of 1,000 results with errors takes some 4 MiB."""
STREAMS_PER_CONNECTION_MAX = 64
"""Proxies allow 100 or 128 calls on a connection, and let further ones wait without a word."""
REOPENED_SECONDS_MIN = 1.0
"""The least time between two openings with newer certificates: without a server, each call fails."""
HEARTBEATS_KEY = "batchprogress-heartbeat-seconds"
"""By it a watcher learns that the server knows heartbeats."""
CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # Use every replica behind the name, not only the first.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    # Notice a half-open connection within 16 s. The server refuses pings more often than every 5 s.
    ("grpc.keepalive_time_ms", 6_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Find a restarted server within seconds; the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Otherwise all channels would share one connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
    ("grpc.max_metadata_size", METADATA_BYTES_MAX),
    ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
    # Each try of a caller is its own, and a stream that was cut resumes by revision.
    ("grpc.enable_retries", 0),
)


async def announced_heartbeats(stream: grpc.aio.UnaryStreamCall[bytes, bytes]) -> dict[str, str]:
    """Return what the initial metadata of a watch says of heartbeats; nothing if there will be none.

    Args:
        stream: the watch. The server sends its initial metadata at once.

    """
    metadata: Any = await stream.initial_metadata()
    return {name: value for name, value in metadata or () if name == HEARTBEATS_KEY}


@dataclass(eq=False, slots=True)
class _Opened:
    channel: grpc.aio.Channel
    opened_at: float = field(default_factory=time.monotonic)
    methods: dict[str, Any] = field(default_factory=dict)
    streams: int = 0


class Upstream:
    """Makes calls with requests and responses of bytes, so that nothing is decoded that needs not be.

    Args:
        target: host:port, or any gRPC name.
        tls: the files of certificates; None is plaintext.

    """

    def __init__(self, target: str, tls: TlsFiles | None) -> None:
        self._target = target
        self._tls = tls
        self._opened: list[_Opened] = []
        """The first one is for unary calls, too."""

    def unary(self, method: str) -> grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]:
        """Return the function that makes a unary call of a method, /package.Service/Method."""
        opened = self._first()
        known: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] | None = opened.methods.get(method)
        if known is None:
            known = opened.methods[method] = opened.channel.unary_unary(method)
        return known

    @contextmanager
    def stream(self, method: str) -> Iterator[grpc.aio.UnaryStreamMultiCallable[bytes, bytes]]:
        """Yield the function that makes a streaming call, on a connection with room for it."""
        opened = self._with_room()
        opened.streams += 1
        try:
            yield opened.channel.unary_stream(method)
        finally:
            opened.streams -= 1
            if not opened.streams and opened in self._opened[1:]:
                self._opened.remove(opened)  # gRPC closes a channel that nobody refers to

    def renew(self) -> None:
        """Open new connections after a call has not reached the server: newer certificates may help."""
        if self._tls is None or not self._opened:
            return
        if time.monotonic() - self._opened[0].opened_at >= REOPENED_SECONDS_MIN:
            self._opened.clear()

    async def close(self) -> None:
        """Close all connections; the calls on them end."""
        opened, self._opened = self._opened, []
        for one in opened:
            await one.channel.close()

    def _first(self) -> _Opened:
        if not self._opened:
            self._opened.append(_Opened(self._open()))
        return self._opened[0]

    def _with_room(self) -> _Opened:
        self._first()
        for opened in self._opened:
            if opened.streams < STREAMS_PER_CONNECTION_MAX:
                return opened
        self._opened.append(_Opened(self._open()))
        return self._opened[-1]

    def _open(self) -> grpc.aio.Channel:
        if self._tls is None:
            return grpc.aio.insecure_channel(self._target, CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self._target, self._tls.credentials(), CHANNEL_OPTIONS)
