"""Answers only requests that name this page as their host.

A website that a viewer visits can point its own name at the address of this page (DNS rebinding). Its scripts
then count as the page's own, and could read every batch; but the Host header still has the website's name.
"""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY_HOST = "*"
EXEMPT_PATHS = frozenset({"/health"})
"""Probes come by the address of a pod, and the answer tells nothing about batches."""
REFUSAL = "This page is not served under this name: its operator can allow it in DASHBOARD_ALLOWED_HOSTS."


class HostCheck:
    """Refuses requests for other hosts.

    Args:
        app: the application behind it.
        allowed: the hosts, in lower case and without ports; `*` allows every host.

    """

    def __init__(self, app: ASGIApp, allowed: frozenset[str]) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or answer that the host is not served here."""
        if scope["type"] == "http" and scope["path"] not in EXEMPT_PATHS and not self._is_allowed(scope):
            refusal = PlainTextResponse(REFUSAL, HTTPStatus.MISDIRECTED_REQUEST)
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        return ANY_HOST in self._allowed or host_name(Headers(scope=scope).get("host", "")) in self._allowed


def host_name(host: str) -> str:
    """Return the name in a Host header: in lower case, without port and brackets; empty if it is invalid."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
