"""How this package reaches a server: the channel's options, TLS and the token, in one place."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import grpc

from batchprogress.tls import TlsFiles

CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # All replicas behind one name, not the first of them.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    # A half-open connection is found in 7 s instead of the kernel's quarter of an hour. The server refuses
    # pings more often than every 5 s.
    ("grpc.keepalive_time_ms", 6_000),
    ("grpc.keepalive_timeout_ms", 1_000),
    # Between two tries there is no call; a watch may get no message for hours.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # A ping that measures bandwidth may be under way already; it, not the keepalive, is then waited for.
    ("grpc.http2.ping_timeout_ms", 1_000),
    # A server that is back is found within seconds; the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # By default channels of one process share connections: a fork's child would write to its parent's.
    ("grpc.use_local_subchannel_pool", 1),
)

Token = str | Callable[[], str]
"""A bearer token, or what returns the one that is valid now; it is asked before each call."""
Metadata = tuple[tuple[str, str], ...]


Credentials = grpc.ChannelCredentials | TlsFiles
"""From grpc.ssl_channel_credentials(), for good; or files that are read again when the server is away."""


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a server is and how it is reached; opening it connects nothing before the first call."""

    target: str
    """host:port, or any gRPC name: dns:///progress:50051 finds every replica of a headless Service."""
    credentials: Credentials | None = None
    """None is plaintext."""
    token: Token | None = None
    """Sent as `authorization: Bearer …`; over plaintext anyone on the way reads it."""

    def open(self) -> grpc.Channel:
        """Return a channel for threads."""
        credentials = self._credentials_of_now()
        if credentials is None:
            return grpc.insecure_channel(self.target, CHANNEL_OPTIONS)
        return grpc.secure_channel(self.target, credentials, CHANNEL_OPTIONS)

    def open_async(self) -> grpc.aio.Channel:
        """Return a channel for the running event loop."""
        credentials = self._credentials_of_now()
        if credentials is None:
            return grpc.aio.insecure_channel(self.target, CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self.target, credentials, CHANNEL_OPTIONS)

    def should_reconnect(self, code: grpc.StatusCode) -> bool:
        """Whether a new channel may help after this code: it reads the certificate files again."""
        return isinstance(self.credentials, TlsFiles) and code is grpc.StatusCode.UNAVAILABLE

    @property
    def may_wait(self) -> bool:
        """Whether a call may wait for a connection: not for one that newer certificates might bring."""
        return not isinstance(self.credentials, TlsFiles)

    def _credentials_of_now(self) -> grpc.ChannelCredentials | None:
        return self.credentials.credentials() if isinstance(self.credentials, TlsFiles) else self.credentials

    def metadata(self) -> Metadata:
        """Return the metadata of a call."""
        if self.token is None:
            return ()
        token = self.token if isinstance(self.token, str) else self.token()
        return (("authorization", f"Bearer {token}"),)


@contextmanager
def opened(target: str | grpc.Channel, connection: Connection) -> Iterator[grpc.Channel]:
    """Give the channel that was given, or one to the target that is closed afterwards."""
    if not isinstance(target, str):
        yield target
        return
    with connection.open() as channel:
        yield channel


@asynccontextmanager
async def opened_async(
    target: str | grpc.aio.Channel, connection: Connection
) -> AsyncIterator[grpc.aio.Channel]:
    """Give the channel that was given, or one to the target that is closed afterwards."""
    if not isinstance(target, str):
        yield target
        return
    async with connection.open_async() as channel:
        yield channel
