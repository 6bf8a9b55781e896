"""The admin ports: health, reflection and channelz over gRPC, metrics over HTTP; plaintext, not for callers.

Kubernetes' gRPC probes speak neither TLS nor tokens, so health must be reached without
them; whoever else is on these ports changes nothing and reads no batch.
"""

import grpc
from grpc_channelz.v1 import channelz, channelz_pb2
from grpc_health.v1 import health_pb2_grpc
from prometheus_client import CollectorRegistry

from rpc.serving.guard import Guard
from rpc.serving.health import Health
from rpc.serving.server import ServerOptions, add_reflection, create_server, listen
from rpc.serving.server_metrics import ServerCollector
from rpc.settings import ServerSettings
from rpc.telemetry.metrics_port import MetricsPort

CHANNELZ = channelz_pb2.DESCRIPTOR.services_by_name["Channelz"].full_name
"""The connections and calls of the whole process, as gRPC itself counts them: for tools such as grpcdebug."""


class AdminPorts:
    """Open from the start to the stop."""

    def __init__(
        self, settings: ServerSettings, health: Health, guard: Guard, registry: CollectorRegistry
    ) -> None:
        """Open both; exit 78 if one cannot be opened."""
        options = ServerOptions(settings.admin_listen)
        self._server: grpc.aio.Server = create_server(options, lambda _: None)
        health_pb2_grpc.add_HealthServicer_to_server(health.servicer, self._server)
        channelz.add_channelz_servicer(self._server)
        add_reflection(self._server, CHANNELZ)
        self.port = listen(self._server, options)
        registry.register(ServerCollector(health, guard))
        self._metrics = MetricsPort(registry, settings.metrics_listen)
        self.metrics_port = self._metrics.port

    async def start(self) -> None:
        """Answer from now on."""
        await self._server.start()

    async def stop(self) -> None:
        """Close both; probes are cut."""
        await self._server.stop(None)
        await self._metrics.close()
