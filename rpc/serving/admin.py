"""The admin ports: health, reflection and channelz over gRPC, metrics over HTTP; all in plaintext.

Kubernetes' gRPC probes support neither TLS nor tokens, so health must be available without them. These
ports change nothing and show no batch.
"""

from typing import Any, Protocol

import grpc
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import CollectorRegistry

from rpc.serving.health_servicer import HealthServicer
from rpc.serving.lazy_service import LazyService
from rpc.serving.server import ServerOptions, add_reflection, create_server, listen
from rpc.telemetry.metrics_port import MetricsPort

CHANNELZ = "grpc.channelz.v1.Channelz"
"""gRPC's own statistics of the connections and calls of the process, for tools such as grpcdebug."""


class AdminAddresses(Protocol):
    """The settings of the admin ports, each host:port."""

    admin_listen: str
    metrics_listen: str


class AdminPorts:
    """The admin ports of a deployable, open from construction to `stop`.

    Args:
        settings: where to listen.
        health: answers the probes.
        registry: the metrics.
        reuse_port: whether several processes may listen on the ports.

    Raises:
        SystemExit: with code 78, if a port cannot be opened.

    """

    def __init__(
        self,
        settings: AdminAddresses,
        health: HealthServicer,
        registry: CollectorRegistry,
        *,
        reuse_port: bool = False,
    ) -> None:
        options = ServerOptions(settings.admin_listen, reuse_port=reuse_port)
        self._server: grpc.aio.Server = create_server(options, {})
        health_pb2_grpc.add_HealthServicer_to_server(health, self._server)
        self._server.add_generic_rpc_handlers((LazyService(CHANNELZ, _add_channelz),))
        add_reflection(self._server, CHANNELZ)
        self.port = listen(self._server, options)
        self._metrics = MetricsPort(registry, settings.metrics_listen, reuse_port=reuse_port)
        self.metrics_port = self._metrics.port

    async def start(self) -> None:
        """Start answering on the gRPC port; metrics are served from the construction on."""
        await self._server.start()

    async def stop(self) -> None:
        """Close both ports; probes are cut."""
        await self._server.stop(None)
        await self._metrics.close()


def _add_channelz(collected: Any) -> None:
    from grpc_channelz.v1 import channelz, channelz_pb2_grpc  # noqa: PLC0415  # few servers are asked

    channelz_pb2_grpc.add_ChannelzServicer_to_server(channelz.aio.ChannelzServicer(), collected)
