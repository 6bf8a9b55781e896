"""How a server is reached: address, TLS, token, and the options of the channel."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import grpc

from batchprogress import _green_threads
from batchprogress._grpc import forks
from batchprogress._grpc.error_text import message_of
from batchprogress._grpc.remote_channel import RemoteChannel
from batchprogress._grpc.retry import Failure, TokenFailed
from batchprogress.errors import GrpcUnusable
from batchprogress.tls import Certificates, TlsFiles

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

    def __post_init__(self) -> None:
        """Refuse a process in which every wait would stop all green threads.

        Raises:
            GrpcUnusable: gevent or eventlet has patched threads, but not sockets or sleeps.

        """
        if complaint := _green_threads.complaint_about_patches():
            raise GrpcUnusable(complaint)

    def open(self) -> grpc.Channel:
        """Return a new channel for threads.

        Raises:
            GrpcUnusable: gRPC cannot be used in this process, and its credentials not in another one.

        """
        if forks.is_forked_after_use() or _green_threads.library():
            remote = RemoteChannel(self.target, CHANNEL_OPTIONS, self._certificates())
            return cast("grpc.Channel", remote)
        with forks.use():
            credentials = self._current_credentials()
            if credentials is None:
                return forks.keep(grpc.insecure_channel(self.target, CHANNEL_OPTIONS))
            return forks.keep(grpc.secure_channel(self.target, credentials, CHANNEL_OPTIONS))

    def open_async(self) -> grpc.aio.Channel:
        """Return a new channel for the running event loop.

        Raises:
            GrpcUnusable: gRPC cannot be used in this process.

        """
        if forks.is_forked_after_use():
            raise GrpcUnusable(
                "this process was forked after a call, and gRPC's event loop does not survive that."
                " Use Client here, or make the first call after the fork."
            )
        with forks.use():
            credentials = self._current_credentials()
            if credentials is None:
                return forks.keep(grpc.aio.insecure_channel(self.target, CHANNEL_OPTIONS))
            return forks.keep(grpc.aio.secure_channel(self.target, credentials, CHANNEL_OPTIONS))

    def should_reconnect(self, failure: Failure) -> bool:
        """Whether a new channel may help after this failure: it reads the certificate files again."""
        is_cut = failure.code is grpc.StatusCode.UNAVAILABLE and not failure.is_from_server
        return isinstance(self.credentials, TlsFiles) and (
            is_cut or failure.http_status in CERTIFICATE_STATUSES
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what pickle needs.

        Raises:
            TypeError: the credentials cannot be sent to another process.

        """
        if isinstance(self.credentials, grpc.ChannelCredentials):
            raise TypeError(
                "the credentials of grpc.ssl_channel_credentials() cannot be pickled. Give TlsFiles instead."
            )
        return Connection, (self.target, self.credentials, self.token)

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

    def _certificates(self) -> Certificates | None:
        """Return what another process needs to make the same connection."""
        if isinstance(self.credentials, TlsFiles):
            return self.credentials.certificates()
        if self.credentials is None:
            return None
        raise GrpcUnusable(
            "another process has to make the calls of this one, which was forked after a call or has green"
            " threads, and it cannot get the credentials of grpc.ssl_channel_credentials(). Give TlsFiles."
        )

    def _current_credentials(self) -> grpc.ChannelCredentials | None:
        return self.credentials.credentials() if isinstance(self.credentials, TlsFiles) else self.credentials
