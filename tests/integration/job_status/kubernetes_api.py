"""A small HTTP server that speaks the API server's wire for Jobs: enough to list, create, change and delete.

It stands in where no API server is given; the same tests run on a real one where there is one.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

TOKEN = "the-tests-own-reader"


class ApiServer:
    """Keeps Jobs by name, in one namespace."""

    def __init__(self) -> None:
        """Start without Jobs."""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        """The method and the path of each request."""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request as the API server does."""
        self.requests.append((request.method, request.path))
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        name = request.match_info.get("name", "")
        match request.method:
            case "GET":
                return self._list(request)
            case "POST":
                job = json.loads(await request.read())
                self.jobs[job["metadata"]["name"]] = {"status": {}, **job}
            case "PATCH":
                self.jobs[name]["status"] |= json.loads(await request.read())["status"]
            case "DELETE":
                del self.jobs[name]
        return web.json_response({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _list(self, request: web.Request) -> web.Response:
        """Answer a page; the token is the number of the Job it begins with."""
        key, _, value = request.query.get("labelSelector", "").partition("=")
        matching = [
            job
            for _, job in sorted(self.jobs.items())
            if not key or (job["metadata"].get("labels") or {}).get(key) == value
        ]
        begin = int(request.query.get("continue", 0))
        end = begin + int(request.query.get("limit", len(matching) or 1))
        metadata = {"resourceVersion": "1"} | ({"continue": str(end)} if end < len(matching) else {})
        items = matching[begin:end]
        body = {"kind": "JobList", "apiVersion": "batch/v1", "metadata": metadata, "items": items}
        return web.json_response(body)


def _status(code: int, reason: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return web.json_response(body, status=code)


@asynccontextmanager
async def serving_api(api: ApiServer) -> AsyncIterator[str]:
    """Serve on a free port of this machine; gives the URL."""
    app = web.Application()
    path = "/apis/batch/v1/namespaces/{namespace}/jobs"
    for one in (path, f"{path}/{{name}}", f"{path}/{{name}}/status"):
        app.router.add_route("*", one, api.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None  # noqa: SLF001  # aiohttp tells the port nowhere else
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def kubeconfig(url: str, token: str = TOKEN) -> str:
    """Return a kubeconfig for a server."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": {"server": url}}],
            "users": [{"name": "own", "user": {"token": token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
            "current-context": "own",
        }
    )
