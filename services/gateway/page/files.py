"""The page as an ASGI application: a document for each address, and the files that they load."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from services.gateway.page.headers import PageHeaders

STATIC = Path(__file__).parent / "static"
DOCUMENTS = {"/": "index.html", "/batch": "batch.html"}
"""The documents, by their paths."""
FILES = "/static"
SETTINGS = "/page.json"
"""The settings of the page: what its files cannot know."""


def page_application(job_url: str = "") -> ASGIApp:
    """Return the application of the page.

    Args:
        job_url: the address of a job on the queue's own page, with {job_id} and {batch_id} in place of the
            ids; empty: it has none.

    """
    files = StaticFiles(directory=STATIC)
    routes = [Route(path, _document(files, name)) for path, name in DOCUMENTS.items()]
    routes.append(Route(SETTINGS, _settings(job_url)))
    return PageHeaders(Starlette(routes=[*routes, Mount(FILES, files)]))


def is_of_page(path: str) -> bool:
    """Return whether a path belongs to the page.

    Args:
        path: the path of a request.

    """
    return path in DOCUMENTS or path == SETTINGS or path.startswith(f"{FILES}/")


def _settings(job_url: str) -> Callable[[Request], Awaitable[Response]]:
    async def settings(_request: Request) -> Response:
        return JSONResponse({"jobUrl": job_url})

    return settings


def _document(files: StaticFiles, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def document(request: Request) -> Response:
        return await files.get_response(name, request.scope)

    return document
