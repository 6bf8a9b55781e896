"""A grpc.aio server with options that avoid measured traps."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from process.configuration import refuse
from rpc.answers.error_interceptor import ErrorInterceptor
from rpc.answers.error_table import ErrorTable
from rpc.answers.request_checks import RequestChecks
from rpc.callers.tls import ServerCertificate

TRANSPORT_MESSAGE_BYTES_MAX = 5 * 1024 * 1024
"""The transport's own limit: above that of the error interceptor, which can then answer, but little above it,
since an unfinished message takes memory for as long as its caller likes."""
PENDING_REQUESTS_MAX = 100_000
"""gRPC's default of 1,000 randomly cancels calls if more are waiting, about 1 % of 1,037 workers. We limit
the work ourselves and answer RESOURCE_EXHAUSTED."""
UNREQUESTED_SECONDS_MAX = 300
"""gRPC cancels calls that a busy event loop has not accepted within 30 s; a caller has its own deadline."""
PING_INTERVAL_MS_MIN = 5_000
"""How often a client may ping an idle connection; gRPC's default of 5 min disconnects careful clients."""
KEEPALIVE_MS = 30_000
"""How long a connection may be silent before the server pings the client."""
KEEPALIVE_TIMEOUT_MS = 10_000
"""How long the answer to the ping may take; then the connection is dropped, with its watches."""

NO_CHECKS = RequestChecks()
REFLECTION_METHODS = (f"/{reflection.SERVICE_NAME}/ServerReflectionInfo",)


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
    certificate: ServerCertificate | None = None
    """None means plaintext."""


def create_server(
    options: ServerOptions,
    errors: ErrorTable,
    *,
    checks: RequestChecks = NO_CHECKS,
    outside: Sequence[grpc.aio.ServerInterceptor] = (),
    inside: Sequence[grpc.aio.ServerInterceptor] = (),
) -> grpc.aio.Server:
    """Create a server whose errors all pass through the error interceptor.

    Args:
        options: the choices of the deployable.
        errors: the answers to the errors of the service's domain.
        checks: what is checked before a request is decoded.
        outside: interceptors that see the answers of the error interceptor; they must not raise.
        inside: interceptors that may raise Refusal.

    Returns:
        The server, without a port.

    """
    return grpc.aio.server(
        interceptors=[*outside, ErrorInterceptor(errors, checks), *inside],
        options=[
            ("grpc.server.max_pending_requests", PENDING_REQUESTS_MAX),
            ("grpc.server.max_pending_requests_hard_limit", PENDING_REQUESTS_MAX),
            ("grpc.server_max_unrequested_time_in_server", UNREQUESTED_SECONDS_MAX),
            ("grpc.max_receive_message_length", TRANSPORT_MESSAGE_BYTES_MAX),
            ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_MS_MIN),
            ("grpc.keepalive_time_ms", KEEPALIVE_MS),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            ("grpc.max_connection_age_ms", options.connection_age_seconds_max * 1_000),
            # The default is infinite: a watch would keep an aged connection for ever.
            ("grpc.max_connection_age_grace_ms", KEEPALIVE_MS),
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
    everywhere = health.SERVICE_NAME, reflection.SERVICE_NAME
    reflection.enable_server_reflection((*services, *everywhere), server)
