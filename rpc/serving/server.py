"""A grpc.aio server with options that avoid measured traps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health

from process.configuration import refuse
from rpc.answers.error_interceptor import NO_HOOKS, CallHooks, ErrorInterceptor
from rpc.answers.error_table import ErrorTable
from rpc.answers.request_checks import RequestChecks
from rpc.serving.lazy_service import AddServicer, LazyService

if TYPE_CHECKING:  # it imports cryptography, which only a server with TLS needs
    from rpc.callers.tls import ServerCertificate

TRANSPORT_MESSAGE_BYTES_MAX = 4 * 1024 * 1024 + 512 * 1024
"""The transport's own limit: above that of the error interceptor, which can then answer, but little above it,
since an unfinished message takes memory for as long as its caller likes. 100 of them take 450 MiB."""
STREAMS_MAX = 2_000
"""How many calls a connection may have open at a time. Without a limit, one connection that starts calls and
cancels them (rapid reset) took 1.5 GiB within 4 s. Our clients and proxies open another connection."""
CONNECTIONS_MAX = 10_000
"""Of one port; further ones are closed at once. 10,000 idle connections take about 180 MiB."""
PENDING_REQUESTS_MAX = 4_000
"""How many calls of a method may wait until the event loop accepts them: a second's work. gRPC's default of
1,000 randomly cancels calls if more are waiting, about 1 % of 1,037 workers; without a limit, a flood queued
more than 100,000 within seconds, and everybody's calls behind them."""
UNREQUESTED_SECONDS_MAX = 30
"""Older pending calls are cancelled: our clients have given up after 10 s and try again."""
METADATA_BYTES_MAX = 16 * 1024
"""The headers of a call, a signed token among them. By default gRPC refuses some calls, chosen at random,
from half of it on."""
READ_BYTES_MAX = 64 * 1024
"""How much is read from a connection at once; gRPC's default of 4 MiB, which it reads ahead of what it has
parsed, took up to 1.1 GiB while two connections sent CONTINUATION frames for 8 s, and 180 MiB with this."""
HANDSHAKE_MS_MAX = 20_000
"""How long a connection may take to begin with TLS and HTTP/2; gRPC's default is 2 minutes. A hostile caller
can hold connections on which it never says a word."""
PING_INTERVAL_MS_MIN = 5_000
"""How often a client may ping an idle connection; gRPC's default of 5 min disconnects careful clients."""
KEEPALIVE_MS = 30_000
"""How long a connection may be silent before the server pings the client."""
KEEPALIVE_TIMEOUT_MS = 10_000
"""How long the answer to the ping may take; then the connection is dropped, with its watches."""
CONNECTION_AGE_GRACE_MS = 30_000
"""How long the calls of an aged connection may go on. The default is infinite: a watch, or a message that is
never finished, would keep the connection for ever."""

NO_CHECKS = RequestChecks()
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
REFLECTION_METHODS = (f"/{REFLECTION}/ServerReflectionInfo",)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """The choices of a deployable about its server."""

    listen: str
    """host:port; port 0 picks a free one."""
    connection_age_seconds_max: int = 600
    """The age at which a connection is asked to end (gRPC varies it by 10 %), so that clients that balance by
    connection find new replicas. Running calls are finished; watches resume by revision."""
    reuse_port: bool = False
    """Whether several processes may listen on one port. Off: a second server on a port fails instead
    of silently taking half of the calls."""
    certificate: "ServerCertificate | None" = None
    """None means plaintext."""


def create_server(
    options: ServerOptions,
    errors: ErrorTable,
    *,
    checks: RequestChecks = NO_CHECKS,
    hooks: CallHooks = NO_HOOKS,
    outside: Sequence[grpc.aio.ServerInterceptor] = (),
) -> grpc.aio.Server:
    """Create a server whose errors all pass through the error interceptor.

    Args:
        options: the choices of the deployable.
        errors: the answers to the errors of the service's domain.
        checks: what is checked before a request is decoded.
        hooks: what else is done with every call.
        outside: interceptors that see the answers of the error interceptor; they must not raise.

    Returns:
        The server, without a port.

    """
    return grpc.aio.server(
        interceptors=[*outside, ErrorInterceptor(errors, checks, hooks)],
        options=[
            ("grpc.max_concurrent_streams", STREAMS_MAX),
            ("grpc.max_allowed_incoming_connections", CONNECTIONS_MAX),
            ("grpc.server_handshake_timeout_ms", HANDSHAKE_MS_MAX),
            ("grpc.server.max_pending_requests", PENDING_REQUESTS_MAX),
            ("grpc.server.max_pending_requests_hard_limit", PENDING_REQUESTS_MAX),
            ("grpc.server_max_unrequested_time_in_server", UNREQUESTED_SECONDS_MAX),
            ("grpc.max_receive_message_length", TRANSPORT_MESSAGE_BYTES_MAX),
            ("grpc.max_metadata_size", METADATA_BYTES_MAX),
            ("grpc.absolute_max_metadata_size", METADATA_BYTES_MAX),
            ("grpc.experimental.tcp_max_read_chunk_size", READ_BYTES_MAX),
            ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS_MIN),
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_connection_age_ms", options.connection_age_seconds_max * 1_000),
            ("grpc.max_connection_age_grace_ms", CONNECTION_AGE_GRACE_MS),
            ("grpc.so_reuseport", int(options.reuse_port)),
        ],
    )


def listen(server: grpc.aio.Server, options: ServerOptions) -> int:
    """Open the port of a server.

    Args:
        server: a server that has not started.
        options: where to listen, and whose certificate to use.

    Returns:
        The number of the port.

    Raises:
        SystemExit: with code 78, if the port cannot be opened.

    """
    try:
        if options.certificate is None:
            return server.add_insecure_port(options.listen)
        return server.add_secure_port(options.listen, options.certificate.credentials())
    except RuntimeError:
        refuse(f"cannot listen on {options.listen}: is the port taken, or the address not of this machine?")


def add_reflection(server: grpc.aio.Server, *services: str) -> None:
    """Let tools such as grpcurl list these services of a server, and those that every server has."""

    def add(collected: Any) -> None:
        from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc  # noqa: PLC0415  # rarely asked

        names = (*services, health.SERVICE_NAME, REFLECTION)
        register: AddServicer = reflection_pb2_grpc.add_ServerReflectionServicer_to_server
        register(reflection.aio.ReflectionServicer(names), collected)

    server.add_generic_rpc_handlers((LazyService(REFLECTION, add),))
