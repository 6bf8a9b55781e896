"""The page as an ASGI application: a document for each address, and the files that they load."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from services.gateway.page.headers import PageHeaders

STATIC = Path(__file__).parent / "static"
DOCUMENTS = {"/": "index.html", "/batch": "batch.html"}
"""The documents, by their paths."""
FILES = "/static"
SETTINGS = "/page.json"
"""The settings of the page: what its files cannot know."""
NOT_FOUND = STATIC / "not_found.html"
"""The document for unknown paths; {root} stands for the way to the page's own root."""


def page_application(*, has_changes: bool, job_url: str = "") -> ASGIApp:
    """Return the application of the page.

    Args:
        has_changes: whether the page lets operators change batches.
        job_url: the address of a job on the queue's own page, with {job_id} and {batch_id} in place of the
            ids; empty: it has none.

    """
    files = StaticFiles(directory=STATIC)
    settings = JSONResponse({"changes": has_changes, "jobUrl": job_url})
    routes: list[BaseRoute] = [Route(path, _document(files, name)) for path, name in DOCUMENTS.items()]
    routes += [Route(SETTINGS, lambda _: settings), Mount(FILES, files)]
    return PageHeaders(Starlette(routes=routes))


def not_found_application() -> ASGIApp:
    """Return the application that answers unknown paths to people."""
    document = NOT_FOUND.read_text()

    async def not_found(scope: Scope, receive: Receive, send: Send) -> None:
        # Relative, since a proxy may serve the page below a path that nobody else knows.
        root = "../" * (bytes(scope.get("raw_path") or b"/").count(b"/") - 1) or "./"
        answer = HTMLResponse(document.replace("{root}", root), HTTPStatus.NOT_FOUND)
        await answer(scope, receive, send)

    return PageHeaders(not_found)


def is_for_person(scope: Scope) -> bool:
    """Return whether a request is that of a browser that opens a page.

    Args:
        scope: the request.

    """
    accepted: bytes = next((value for name, value in scope["headers"] if name == b"accept"), b"")
    return scope["method"] == "GET" and b"text/html" in accepted


def is_of_page(path: str) -> bool:
    """Return whether a path belongs to the page.

    Args:
        path: the path of a request.

    """
    return path in DOCUMENTS or path == SETTINGS or path.startswith(f"{FILES}/")


def _document(files: StaticFiles, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def document(request: Request) -> Response:
        return await files.get_response(name, request.scope)

    return document
