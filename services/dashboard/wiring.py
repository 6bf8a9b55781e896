"""Builds, starts and stops the dashboard."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from batchprogress import AsyncClient, TlsFiles
from process.secret_files import read_token
from services.dashboard.api import Api
from services.dashboard.app import FULL, Dashboard
from services.dashboard.progress_client import ANSWER_SECONDS_MAX, ProgressClient
from services.dashboard.settings import DashboardSettings
from services.dashboard.shared_answers import SharedAnswers
from services.dashboard.viewer_hub import ViewerHub
from services.gateway.web.web_server import ServerOptions, WebServer, bind


class DashboardServer:
    """The web server and everything behind it. Constructing it opens the port but serves nothing."""

    def __init__(self, settings: DashboardSettings, progress: ProgressClient) -> None:
        self._shared = SharedAnswers()
        self._hub = ViewerHub(progress, viewers_max=settings.viewers_max, watches_max=settings.watches_max)
        self._dashboard = Dashboard(Api(progress, self._shared), self._hub, settings.hosts)
        self._web = WebServer(
            self._dashboard.app(), ServerOptions(FULL, settings.viewers_max, settings.drain_seconds)
        )
        self._socket: socket.socket = bind(settings.listen)
        self.port: int = self._socket.getsockname()[1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Serve while the context is open; yields the serving task. Leaving the context drains."""
        serving = asyncio.create_task(self._web.serve([self._socket]))
        try:
            yield serving
        finally:
            self._dashboard.is_draining = True
            await self._hub.close()
            self._web.should_exit = True
            await serving
            await self._shared.close()


@asynccontextmanager
async def dashboard_server(
    settings: DashboardSettings,
) -> AsyncIterator[tuple[DashboardServer, asyncio.Task[None]]]:
    """Serve while the context is open; the progress server may start later or restart."""
    async with _client(settings) as client:
        server = DashboardServer(settings, ProgressClient(client, settings.watches_max))
        async with server.running() as serving:
            yield server, serving


def _client(settings: DashboardSettings) -> AsyncClient:
    token_file = settings.progress_token_file
    return AsyncClient(
        settings.progress_target,
        credentials=_tls(settings),
        token=None if token_file is None else (lambda: read_token(token_file)),
        timeout=ANSWER_SECONDS_MAX,
        retry=False,
    )


def _tls(settings: DashboardSettings) -> TlsFiles | None:
    files = (settings.progress_ca_file, settings.progress_certificate_file, settings.progress_key_file)
    if not settings.progress_tls and not any(files):
        return None
    return TlsFiles(*files)
