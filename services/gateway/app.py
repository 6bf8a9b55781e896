"""The routes of the gateway, and what holds for all of them: hosts, origins, headers."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path

from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.gateway.page.files import is_for_person, is_of_page, not_found_application
from services.gateway.web.host_check import HostCheck
from services.gateway.web.unsent_bodies import SLICE_BYTES, NoRoom, UnsentBodies

HEALTH = "/health"
OPENAPI = "/openapi.json"
OPENAPI_FILE = Path(__file__).with_name("openapi.json")
"""Generated from the protos by `make openapi`."""
PREFLIGHT_SECONDS_MAX = 7_200
"""How long browsers may remember what a page may send; Chrome remembers no longer."""
SENT_BY_PAGES = (
    "authorization",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-type",
    "grpc-timeout",
    "last-event-id",
    "x-grpc-web",
    "x-request-id",
    "x-user-agent",
)
"""The headers of Connect, gRPC-Web, events and our own that a page of an allowed origin may send."""
READ_BY_PAGES = (
    "batchprogress-heartbeat-seconds",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "retry-after",
)
HEADERS = {
    "Cache-Control": "no-store",  # an answer is true for a moment, and for one caller
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every answer, except those of the page, which has its own."""
WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
UNBUFFERED = (b"x-accel-buffering", b"no")
"""The header of every stream: nginx would collect its messages."""
FOREIGN_HOST = JSONResponse(
    {
        "code": "permission_denied",
        "message": "this gateway is not served under this name: its operator can allow it in"
        " GATEWAY_ALLOWED_HOSTS",
    },
    HTTPStatus.MISDIRECTED_REQUEST,
    HEADERS,
)
FULL = JSONResponse(
    {"code": "unavailable", "message": "this gateway has too many connections or answers; try again"},
    HTTPStatus.SERVICE_UNAVAILABLE,
    {**HEADERS, "Retry-After": "2", "Connection": "close"},
)
UNKNOWN_PATH = JSONResponse(
    {"code": "unimplemented", "message": "no such path: a call is POST /package.Service/Method"},
    HTTPStatus.NOT_FOUND,
)
FOREIGN_ORIGIN = JSONResponse(
    {
        "code": "permission_denied",
        "message": "this website may not change batches: the gateway's operator can allow its origin in"
        " GATEWAY_CORS_ORIGINS",
        "details": [{"type": "google.rpc.ErrorInfo", "debug": {"reason": "FOREIGN_ORIGIN"}}],
    },
    HTTPStatus.FORBIDDEN,
)
NOT_PRINTABLE = JSONResponse(
    {"code": "invalid_argument", "message": "a header has characters that are not printable ASCII"},
    HTTPStatus.BAD_REQUEST,
)
NO_GRPC = JSONResponse(
    {
        "code": "unimplemented",
        "message": "gRPC needs HTTP/2, which this port does not speak: call the progress server, or use"
        " gRPC-Web or Connect",
    },
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)
DRAINING = JSONResponse({"status": "draining"}, HTTPStatus.SERVICE_UNAVAILABLE)
SERVING = JSONResponse({"status": "serving"})
GRPC = b"application/grpc"
_RAW_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class Gateway:
    """The HTTP application.

    Args:
        routes: what answers each path of the API.
        page: answers the requests of browsers for the page.
        hosts: the names under which requests are answered.
        origins: the origins of other websites whose pages may call.

    """

    def __init__(
        self,
        routes: Mapping[str, ASGIApp],
        page: ASGIApp,
        hosts: frozenset[str],
        origins: tuple[str, ...],
    ) -> None:
        self._routes = routes
        self._page = page
        self._hosts = hosts
        self._origins = origins
        self._not_found = not_found_application()
        self._openapi = Response(OPENAPI_FILE.read_bytes(), media_type="application/json")
        self.is_draining = False

    def app(self) -> ASGIApp:
        """Return the ASGI application."""
        api: ASGIApp = _WithHeaders(self._route)
        if self._origins:
            api = CORSMiddleware(
                api,
                allow_origins=self._origins,
                allow_methods=("GET", "POST"),
                allow_headers=SENT_BY_PAGES,
                expose_headers=READ_BY_PAGES,
                max_age=PREFLIGHT_SECONDS_MAX,
            )

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"]
            if is_of_page(path):
                await self._page(scope, receive, send)
            elif is_for_person(scope) and not self._is_api(path):
                await self._not_found(scope, receive, send)
            else:
                await api(scope, receive, send)

        return HostCheck(app, self._hosts, FOREIGN_HOST)

    def _is_api(self, path: str) -> bool:
        return path in self._routes or path in {HEALTH, OPENAPI}

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        app: ASGIApp
        if (route := self._routes.get(path)) is not None:
            app = _objection(scope) or route
        elif path == HEALTH:
            # The same while the progress server is down: a restart of this process would not help.
            app = DRAINING if self.is_draining else SERVING
        elif path == OPENAPI:
            app = self._openapi
        else:
            app = UNKNOWN_PATH
        await app(scope, receive, send)


def _objection(scope: Scope) -> ASGIApp | None:
    """Return the answer to a request that connectrpc or gRPC cannot carry; None for any other."""
    for name, value in scope["headers"]:
        if not value.isascii() or b"\t" in value:  # HTTP allows no other control character
            return NOT_PRINTABLE
        if name == b"content-type" and value.startswith(GRPC) and not value.startswith(GRPC + b"-web"):
            return NO_GRPC
    return None


class _WithHeaders:
    """Adds HEADERS to every response of an application, and its length to one that is sent in one part.

    Such a response is sent no faster than its client reads it, or refused if too much waits for others.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._unsent = UnsentBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            begun, start = start, None
            if begun is not None:
                _complete(begun, message)
                if _is_large(message):
                    await self._send_slowly(begun, message["body"], send, partial(FULL, scope, receive, send))
                    return
                await send(begun)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def _send_slowly(
        self, start: Message, body: bytes, send: Send, refuse: Callable[[], Awaitable[None]]
    ) -> None:
        try:
            with self._unsent.sending(body) as slices:
                await send(start)
                for part in slices:
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        except NoRoom:
            await refuse()
        else:
            await send({"type": "http.response.body", "body": b""})


def _is_large(first: Message) -> bool:
    return len(first.get("body", b"")) > SLICE_BYTES and not first.get("more_body", False)


def _complete(start: Message, first: Message) -> None:
    headers: list[tuple[bytes, bytes]] = list(start["headers"])
    names = {name for name, _ in headers}
    headers += [header for header in _RAW_HEADERS if header[0] not in names]
    if first.get("more_body", False):
        headers.append(UNBUFFERED)
    elif b"content-length" not in names and start["status"] not in WITHOUT_BODY:
        headers.append((b"content-length", str(len(first.get("body", b""))).encode()))
    start["headers"] = headers
