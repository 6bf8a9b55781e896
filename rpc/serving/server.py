"""A grpc.aio server with the options that measured traps ask for."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from process.configuration import refuse
from rpc.answers.error_boundary import ErrorBoundary, Translate
from rpc.callers.tls import ServerCertificate

TRANSPORT_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
"""What is read at all: above the boundary's own limit, so that the boundary can answer, and bounded."""
PENDING_REQUESTS_MAX = 100_000
"""gRPC's default of 1,000 randomly cancels calls when more wait, about 1 % of 1,037 workers. We bound the
work ourselves and answer RESOURCE_EXHAUSTED instead."""
UNREQUESTED_SECONDS_MAX = 300
"""gRPC cancels calls that a busy event loop has not taken up within 30 s; a caller has its own deadline."""
PING_INTERVAL_MS_MIN = 5_000
"""How often a client may ping a connection without calls; gRPC's default, 5 min, cuts careful clients off."""
KEEPALIVE_MS = 30_000
"""How long a connection may be silent before the server asks whether the client is still there."""
KEEPALIVE_TIMEOUT_MS = 10_000
"""How long the answer to that may take; then the connection, with its watches, is dropped."""

REFLECTION_METHODS = (f"/{reflection.SERVICE_NAME}/ServerReflectionInfo",)


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """What a deployable may choose about its server."""

    listen: str
    """host:port; port 0 takes a free one."""
    connection_age_seconds_max: int = 600
    """After so long a connection is asked to end (gRPC spreads it by 10 %), so that clients that
    balance by connection find new replicas. Calls are finished, watches resume by revision."""
    reuse_port: bool = False
    """Whether several processes may listen on one port. Off: a second server on a port fails instead
    of silently taking half of the calls."""
    certificate: ServerCertificate | None = None
    """Whose TLS it speaks; None is plaintext."""


def create_server(
    options: ServerOptions,
    translate: Translate,
    *,
    outside: Sequence[grpc.aio.ServerInterceptor] = (),
    inside: Sequence[grpc.aio.ServerInterceptor] = (),
) -> grpc.aio.Server:
    """Return a server whose only way out for errors is the boundary.

    Interceptors outside of it see its answers and raise nothing; those inside may raise Refusal.
    """
    return grpc.aio.server(
        interceptors=[*outside, ErrorBoundary(translate), *inside],
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
            # Its default is infinite: a watch would keep an aged connection for ever.
            ("grpc.max_connection_age_grace_ms", KEEPALIVE_MS),
            ("grpc.so_reuseport", int(options.reuse_port)),
        ],
    )


def listen(server: grpc.aio.Server, options: ServerOptions) -> int:
    """Open the port and return its number; exit 78 if it cannot be opened."""
    try:
        if options.certificate is None:
            return server.add_insecure_port(options.listen)
        return server.add_secure_port(options.listen, options.certificate.credentials())
    except RuntimeError:
        refuse(f"cannot listen on {options.listen}: is the port taken, or the address not of this machine?")


def add_reflection(server: grpc.aio.Server, *services: str) -> None:
    """Let tools such as grpcurl list what a server serves: these services, and those of every server."""
    everywhere = health.SERVICE_NAME, reflection.SERVICE_NAME
    reflection.enable_server_reflection((*services, *everywhere), server)
