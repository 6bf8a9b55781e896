"""The application: which address answers what. Read-only: every route is a GET.

DashboardErrors are raised, never handled here: `_refuse` answers them all.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from services.dashboard import questions
from services.dashboard.answers import Answers
from services.dashboard.errors import (
    BatchUnknown,
    DashboardError,
    Defective,
    InvalidQuestion,
    Refused,
    ServerAway,
    TooMany,
)
from services.dashboard.events import to_events
from services.dashboard.headers import SecurityHeaders
from services.dashboard.watch_hub import WatchHub

STATIC = Path(__file__).parent / "static"
PING_SECONDS = 15
"""A comment that often keeps proxies from taking a quiet stream for a dead one; many cut at 60 s."""
SEND_SECONDS_MAX = 30.0
"""A viewer who has taken nothing for so long is gone; his place is for others."""
RETRY_SECONDS = "2"
STATUSES: dict[type[DashboardError], HTTPStatus] = {
    BatchUnknown: HTTPStatus.NOT_FOUND,
    Defective: HTTPStatus.INTERNAL_SERVER_ERROR,
    InvalidQuestion: HTTPStatus.BAD_REQUEST,
    Refused: HTTPStatus.BAD_GATEWAY,
    ServerAway: HTTPStatus.SERVICE_UNAVAILABLE,
    TooMany: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Dashboard:
    """The routes."""

    def __init__(self, answers: Answers, hub: WatchHub) -> None:
        """Take what answers questions, and what shows batches."""
        self._answers = answers
        self._hub = hub
        self.is_draining = False

    def app(self) -> ASGIApp:
        """Return the application."""
        routes_alone = Starlette(
            routes=[
                Route("/", _page("index.html")),
                Route("/batch", _page("batch.html")),
                Route("/api/batches", self.batches),
                Route("/api/batch/events", self.events),
                Route("/api/batch/failures", self.failures),
                Route("/api/batch/failed-jobs", self.failed_jobs),
                Route("/api/batch/repairs", self.repairs),
                Route("/health", self.health),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            exception_handlers={DashboardError: _refuse},
        )
        # Around everything: the answer to a defect needs them as well.
        return SecurityHeaders(routes_alone)

    async def batches(self, request: Request) -> Response:
        """Answer a page of batches."""
        return _json(await self._answers.batches(questions.to_batch_filter(request.query_params)))

    async def events(self, request: Request) -> Response:
        """Answer a batch as a stream of events, to its end."""
        views = self._hub.view(questions.to_batch_id(request.query_params))
        return _EventStream(to_events(views), ping=PING_SECONDS, send_timeout=SEND_SECONDS_MAX, sep="\n")

    async def failures(self, request: Request) -> Response:
        """Answer the failures of a batch in groups."""
        return _json(await self._answers.failure_groups(questions.to_batch_id(request.query_params)))

    async def failed_jobs(self, request: Request) -> Response:
        """Answer a page of the jobs that failed with one kind of error."""
        query = request.query_params
        asked = questions.to_batch_id(query), questions.to_errors(query), questions.to_page_token(query)
        return _json(await self._answers.failed_jobs(*asked))

    async def repairs(self, request: Request) -> Response:
        """Answer what the reconciler did to a batch."""
        return _json(await self._answers.repairs(questions.to_batch_id(request.query_params)))

    async def health(self, _request: Request) -> Response:
        """Answer whether this process takes viewers; with the progress server away it does, and says so."""
        if self.is_draining:
            return JSONResponse({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "serving"})


class _EventStream(EventSourceResponse):
    """Ends without an error in the log when its viewer has gone without a word."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(SendTimeoutError):
            await super().__call__(scope, receive, send)


def _page(name: str) -> Callable[[Request], Awaitable[Response]]:
    async def page(_request: Request) -> Response:
        return FileResponse(STATIC / name)

    return page


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-store"})


async def _refuse(_request: Request, error: Exception) -> Response:
    status = STATUSES[type(error)]  # type: ignore[index]  # registered for DashboardErrors alone
    headers = {"Retry-After": RETRY_SECONDS} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return JSONResponse({"message": str(error)}, status, headers)
