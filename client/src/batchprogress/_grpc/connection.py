"""How a server is reached: address, TLS, token, and the options of the channel."""

from collections.abc import Callable
from dataclasses import dataclass

import grpc

from batchprogress._grpc.error_text import message_of
from batchprogress._grpc.retry import Failure, TokenFailed
from batchprogress.tls import TlsFiles

CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # Use every replica behind the name, not only the first.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
    # Notice a half-open connection within 16 s; the kernel takes a quarter of an hour. The server refuses
    # pings more often than every 5 s.
    ("grpc.keepalive_time_ms", 6_000),
    # When 1,000 workers start at once through one proxy, it answers pings after more than 1 s, and cutting
    # its connections then (102 were cut) makes it only slower. A try has ended after 10 s, too.
    ("grpc.keepalive_timeout_ms", 10_000),
    # Ping also between two tries, and while a watch gets no message for hours.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # If a ping that measures bandwidth is already under way, its timeout counts, not the keepalive's.
    ("grpc.http2.ping_timeout_ms", 10_000),
    # Find a restarted server within seconds; the default waits up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # Share no connection with other channels of the process: a forked child would write to its parent's.
    ("grpc.use_local_subchannel_pool", 1),
)

CERTIFICATE_STATUSES = frozenset({400, 403})
"""What proxies answer to a client whose certificate is missing or has expired: nginx 400, others 403."""

Token = str | Callable[[], str]
"""A bearer token, or a function that returns the current one and is asked before each call."""
Credentials = grpc.ChannelCredentials | TlsFiles
"""Credentials of grpc.ssl_channel_credentials(), or files that are read again for each new connection."""
Metadata = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a server. A channel connects with its first call."""

    target: str
    """host:port, or any gRPC name: dns:///progress:50051 finds every replica of a headless Service."""
    credentials: Credentials | None = None
    """None is plaintext."""
    token: Token | None = None
    """Sent as `authorization: Bearer …`. Without TLS everyone on the network can read it."""

    def open(self) -> grpc.Channel:
        """Return a new channel for threads."""
        credentials = self._current_credentials()
        if credentials is None:
            return grpc.insecure_channel(self.target, CHANNEL_OPTIONS)
        return grpc.secure_channel(self.target, credentials, CHANNEL_OPTIONS)

    def open_async(self) -> grpc.aio.Channel:
        """Return a new channel for the running event loop."""
        credentials = self._current_credentials()
        if credentials is None:
            return grpc.aio.insecure_channel(self.target, CHANNEL_OPTIONS)
        return grpc.aio.secure_channel(self.target, credentials, CHANNEL_OPTIONS)

    def should_reconnect(self, failure: Failure) -> bool:
        """Whether a new channel may help after this failure: it reads the certificate files again."""
        is_cut = failure.code is grpc.StatusCode.UNAVAILABLE and not failure.is_from_server
        return isinstance(self.credentials, TlsFiles) and (
            is_cut or failure.http_status in CERTIFICATE_STATUSES
        )

    def metadata(self) -> Metadata:
        """Return the metadata of a call.

        Raises:
            TokenFailed: the token function has raised.

        """
        if self.token is None:
            return ()
        try:
            token = self.token if isinstance(self.token, str) else self.token()
        except Exception as error:
            text = f"the token function raised {type(error).__name__}: {message_of(error)}"
            raise TokenFailed(text) from error
        return (("authorization", f"Bearer {token}"),)

    def _current_credentials(self) -> grpc.ChannelCredentials | None:
        return self.credentials.credentials() if isinstance(self.credentials, TlsFiles) else self.credentials
