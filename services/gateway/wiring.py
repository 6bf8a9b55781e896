"""Builds, starts and stops the gateway."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from batchprogress import TlsFiles
from process.certificate_files import CertificateFiles
from process.configuration import refuse
from process.secret_files import read_token
from rpc.telemetry.metrics import CallMetrics, new_registry
from rpc.telemetry.metrics_port import MetricsPort
from rpc.telemetry.server_metrics import ServerCollector
from services.gateway.app import FOREIGN_ORIGIN, FULL, Gateway
from services.gateway.badge import badge
from services.gateway.badge.badge import Badges
from services.gateway.contract.application import contract_application
from services.gateway.contract.caller import Callers
from services.gateway.contract.forwarding import Bounds, Forwarder
from services.gateway.contract.methods import methods_of
from services.gateway.contract.request_bodies import BODY_BYTES_MAX
from services.gateway.contract.upstream import Upstream
from services.gateway.live.live_events import LiveBounds, LiveEvents
from services.gateway.page.files import page_application
from services.gateway.reads import failure_export
from services.gateway.reads.failure_export import FailureExports
from services.gateway.reads.reads import METHODS, Reads
from services.gateway.settings import GatewaySettings
from services.gateway.web.origin_check import OriginCheck
from services.gateway.web.tls import HttpCertificate
from services.gateway.web.web_server import ServerOptions, WebServer, bind


class GatewayServer:
    """The web server and everything behind it. Constructing it opens the ports but serves only metrics.

    Args:
        settings: the settings of the gateway.

    Raises:
        SystemExit: with code 78, if the certificate cannot be used or a port cannot be opened.

    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._certificate = _certificate(settings)
        registry = new_registry()
        methods = tuple(one for one in methods_of() if one.is_read or not settings.read_only)
        upstream = Upstream(settings.progress_target, _upstream_tls(settings))
        callers = _callers(settings)
        self._forwarder = Forwarder(
            upstream, callers, Bounds(settings.call_seconds_max, settings.streams_max)
        )
        metrics = CallMetrics(registry, (method.path for method in methods))
        contract = contract_application(methods, self._forwarder, metrics)
        own_origin = OriginCheck(contract, settings.origins, FOREIGN_ORIGIN)
        self._events = LiveEvents(upstream, self._forwarder, callers, _live_bounds(settings))
        routes: dict[str, ASGIApp] = {
            **{method.path: contract if method.is_read else own_origin for method in methods},
            **dict.fromkeys(METHODS, Reads(self._forwarder, metrics)),
            **dict.fromkeys(failure_export.PATHS, FailureExports(self._forwarder, metrics)),
            **self._events.routes,
            badge.PATH: Badges(self._forwarder, metrics),
        }
        page = page_application(has_changes=settings.page_changes, job_url=settings.job_url)
        self._gateway = Gateway(routes, page, settings.hosts, settings.origins)
        registry.register(self._collector())
        registry.register(self._events.collector)
        self._web = WebServer(self._gateway.app(), self._options(settings))
        self._socket: socket.socket = bind(settings.listen)
        self.port: int = self._socket.getsockname()[1]
        self._metrics = MetricsPort(registry, settings.metrics_listen)
        self.metrics_port = self._metrics.port

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Serve while the context is open; yields the serving task. Leaving the context drains."""
        serving = asyncio.create_task(self._web.serve([self._socket]))
        try:
            yield serving
        finally:
            self._gateway.is_draining = True
            self._forwarder.end_streams()
            await self._events.close()
            self._web.should_exit = True
            await serving
            await self._forwarder.close()
            await self._metrics.close()

    def _options(self, settings: GatewaySettings) -> ServerOptions:
        return ServerOptions(
            FULL,
            settings.streams_max + settings.viewers_max,
            settings.drain_seconds,
            BODY_BYTES_MAX,
            settings.request_seconds_max,
            None if self._certificate is None else self._certificate.context,
        )

    def _collector(self) -> ServerCollector:
        certificate = self._certificate
        return ServerCollector(
            is_ready=lambda: not self._gateway.is_draining,
            has_stale_files=lambda: certificate is not None and certificate.is_stale,
            certificate_expiry=lambda: None if certificate is None else certificate.expiry.timestamp(),
        )


@asynccontextmanager
async def gateway_server(
    settings: GatewaySettings,
) -> AsyncIterator[tuple[GatewayServer, asyncio.Task[None]]]:
    """Serve while the context is open; the progress server may start later or restart.

    Args:
        settings: the settings of the gateway.

    Raises:
        SystemExit: with code 78, if the certificate cannot be used or a port cannot be opened.

    """
    server = GatewayServer(settings)
    async with server.running() as serving:
        yield server, serving


def _live_bounds(settings: GatewaySettings) -> LiveBounds:
    return LiveBounds(
        settings.viewers_max, settings.batch_viewers_max, settings.watches_max, settings.selections_max
    )


def _callers(settings: GatewaySettings) -> Callers:
    token_file = settings.token_file
    own_token = None if token_file is None else (lambda: read_token(token_file))
    return Callers(own_token, reads_anonymously=settings.reads_anonymously)


def _certificate(settings: GatewaySettings) -> HttpCertificate | None:
    certificate, key = settings.tls_certificate_file, settings.tls_key_file
    if certificate is None or key is None:
        return None
    try:
        return HttpCertificate(CertificateFiles(certificate, key, settings.tls_client_ca_file))
    except ValueError as error:
        refuse(str(error))


def _upstream_tls(settings: GatewaySettings) -> TlsFiles | None:
    files = (settings.progress_ca_file, settings.progress_certificate_file, settings.progress_key_file)
    if not settings.progress_tls and not any(files):
        return None
    return TlsFiles(*files)
