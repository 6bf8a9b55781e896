"""The routes of the dashboard. It is read-only: every route is a GET.

Handlers let a DashboardError pass; `_refuse` turns it into a response.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from services.dashboard import query_params
from services.dashboard.api import Api
from services.dashboard.errors import (
    BatchUnknown,
    Busy,
    DashboardError,
    Defective,
    InvalidQuestion,
    Refused,
    ServerAway,
    TooMany,
)
from services.dashboard.events import to_events
from services.dashboard.headers import SecurityHeaders
from services.dashboard.shared_body import SharedBody, UnsentBodies
from services.dashboard.viewer_hub import ViewerHub
from services.gateway.web.host_check import HostCheck

STATIC = Path(__file__).parent / "static"
PING_SECONDS = 15
"""The interval of the comments that keep a quiet stream open: many proxies cut one after 60 s."""
RETRY_SECONDS = "2"
FOREIGN_HOST = PlainTextResponse(
    "This page is not served under this name: its operator can allow it in DASHBOARD_ALLOWED_HOSTS.",
    HTTPStatus.MISDIRECTED_REQUEST,
)
FULL = SecurityHeaders(
    JSONResponse(
        {"message": "The dashboard has too many connections."},
        HTTPStatus.SERVICE_UNAVAILABLE,
        {"Retry-After": RETRY_SECONDS, "Connection": "close", "Cache-Control": "no-store"},
    )
)
"""The answer when there are too many connections."""
STATUSES: dict[type[DashboardError], HTTPStatus] = {
    BatchUnknown: HTTPStatus.NOT_FOUND,
    Busy: HTTPStatus.SERVICE_UNAVAILABLE,
    Defective: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidQuestion: HTTPStatus.BAD_REQUEST,
    Refused: HTTPStatus.BAD_GATEWAY,
    ServerAway: HTTPStatus.SERVICE_UNAVAILABLE,
    TooMany: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Dashboard:
    """The HTTP application over the API and the viewer hub."""

    def __init__(self, api: Api, hub: ViewerHub, hosts: frozenset[str]) -> None:
        self._api = api
        self._hosts = hosts
        self._hub = hub
        self._unsent = UnsentBodies()
        self.is_draining = False

    def app(self) -> ASGIApp:
        """Return the ASGI application."""
        routes_alone = Starlette(
            routes=[
                Route("/", _page("index.html")),
                Route("/batch", _page("batch.html")),
                Route("/api/batches", self.batches),
                Route("/api/batch/events", self.events),
                Route("/api/batch/failures", self.failures),
                Route("/api/batch/failed-jobs", self.failed_jobs),
                Route("/api/batch/pending-jobs", self.pending_jobs),
                Route("/api/batch/repairs", self.repairs),
                Route("/health", self.health),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            exception_handlers={DashboardError: _refuse},
        )
        # Outermost, so that the response to a defect has the headers as well.
        return SecurityHeaders(HostCheck(routes_alone, self._hosts, FOREIGN_HOST))

    async def batches(self, request: Request) -> Response:
        """Return a page of batches."""
        return self._json(await self._api.batches(query_params.to_batch_filter(request.query_params)))

    async def events(self, request: Request) -> Response:
        """Stream a batch as server-sent events until it ends."""
        views = self._hub.view(query_params.to_batch_id(request.query_params))
        return EventSourceResponse(to_events(views), ping=PING_SECONDS, sep="\n")

    async def failures(self, request: Request) -> Response:
        """Return a page of the failure groups of a batch."""
        query = request.query_params
        asked = query_params.to_batch_id(query), query_params.to_page_token(query)
        return self._json(await self._api.failure_groups(*asked))

    async def failed_jobs(self, request: Request) -> Response:
        """Return a page of the jobs of a failure group."""
        query = request.query_params
        asked = (
            query_params.to_batch_id(query),
            query_params.to_fingerprint(query),
            query_params.to_page_token(query),
        )
        return self._json(await self._api.failed_jobs(*asked))

    async def pending_jobs(self, request: Request) -> Response:
        """Return the pending jobs of a batch."""
        return self._json(await self._api.pending_jobs(query_params.to_batch_id(request.query_params)))

    async def repairs(self, request: Request) -> Response:
        """Return the repairs of a batch."""
        return self._json(await self._api.repairs(query_params.to_batch_id(request.query_params)))

    async def health(self, _request: Request) -> Response:
        """Tell whether this process accepts viewers; it does even while the progress server is down."""
        if self.is_draining:
            return JSONResponse({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "serving"})

    def _json(self, body: bytes) -> Response:
        return SharedBody(body, self._unsent)


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_request: Request) -> Response:
        return FileResponse(STATIC / name)

    return page


async def _refuse(_request: Request, error: Exception) -> Response:
    status = STATUSES[type(error)]  # type: ignore[index]  # registered for DashboardError only
    headers = {"Retry-After": RETRY_SECONDS} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse({"message": str(error)}, status, headers)
