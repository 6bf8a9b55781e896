"""A stand-in of the Kubernetes API server for Jobs: it lists, creates, changes and deletes them over HTTP.

The same tests run against a real API server where one is available.
"""

import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

TOKEN = "the-tests-own-reader"
LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]{0,61}[A-Za-z0-9])?")


class ApiServer:
    """The Jobs of one namespace by their names."""

    def __init__(self) -> None:
        self.token = TOKEN
        self.closes = False
        """Whether each answer ends its connection."""
        self.jobs: dict[str, dict[str, Any]] = {}
        self.answer: Any = None
        """What it answers instead of the Jobs, as a proxy may."""
        self.requests: list[tuple[str, str]] = []
        """The method and path of each request."""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request as the API server does."""
        response = await self._answer(request)
        if self.closes:
            response.force_close()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.path))
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if (scheme.lower(), token) != ("bearer", self.token):
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
        """Return a page; the token is the position of its first Job."""
        if self.answer is not None:
            return web.json_response(self.answer)
        key, _, value = request.query.get("labelSelector", "").partition("=")
        if key and not LABEL_VALUE.fullmatch(value):
            return _status(400, "BadRequest")
        matching = [
            job
            for _, job in sorted(self.jobs.items())
            if not key or (job["metadata"].get("labels") or {}).get(key) == value
        ]
        start = int(request.query.get("continue", 0))
        end = start + int(request.query.get("limit", len(matching) or 1))
        metadata = {"resourceVersion": "1"} | ({"continue": str(end)} if end < len(matching) else {})
        items = matching[start:end]
        body = {"kind": "JobList", "apiVersion": "batch/v1", "metadata": metadata, "items": items}
        return web.json_response(body)


def _status(code: int, reason: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
    return web.json_response(body, status=code)


@asynccontextmanager
async def serving_api(api: ApiServer, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve on a free port; yields the URL."""
    app = web.Application()
    path = "/apis/batch/v1/namespaces/{namespace}/jobs"
    for one in (path, f"{path}/{{name}}", f"{path}/{{name}}/status"):
        app.router.add_route("*", one, api.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    assert site._server is not None  # noqa: SLF001  # aiohttp has no other way to find the port
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # noqa: SLF001
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def kubeconfig(url: str, token: str = TOKEN, **cluster: str) -> str:
    """Return a kubeconfig for the server, with more about its cluster."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "own", "cluster": {"server": url, **cluster}}],
            "users": [{"name": "own", "user": {"token": token}}],
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "own"}}],
            "current-context": "own",
        }
    )
