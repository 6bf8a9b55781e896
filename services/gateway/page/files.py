"""The page as an ASGI application: a document for each address, and the files that they load."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from services.gateway.page.headers import PageHeaders

STATIC = Path(__file__).parent / "static"
DOCUMENTS = {"/": "index.html", "/batch": "batch.html"}
"""The documents, by their paths."""
FILES = "/static"


def page_application() -> ASGIApp:
    """Return the application of the page."""
    files = StaticFiles(directory=STATIC)
    routes = [Route(path, _document(files, name)) for path, name in DOCUMENTS.items()]
    return PageHeaders(Starlette(routes=[*routes, Mount(FILES, files)]))


def is_of_page(path: str) -> bool:
    """Return whether a path belongs to the page.

    Args:
        path: the path of a request.

    """
    return path in DOCUMENTS or path.startswith(f"{FILES}/")


def _document(files: StaticFiles, name: str) -> Callable[[Request], Awaitable[Response]]:
    async def document(request: Request) -> Response:
        return await files.get_response(name, request.scope)

    return document
