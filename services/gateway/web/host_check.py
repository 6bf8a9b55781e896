"""Answers only requests that name this server as their host.

A website that somebody visits can point its own name at the address of this server (DNS rebinding). Its
scripts then count as the server's own, and could read every batch; but the Host header still has the
name of the website.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

ANY_HOST = "*"
NAMES_KEPT = 64
"""Headers whose names are remembered: clients send a few, again and again."""
EXEMPT_PATHS = frozenset({"/health"})
"""Probes come by the address of a pod, and the answer tells nothing about batches."""


class HostCheck:
    """Refuses requests for other hosts.

    Args:
        app: the application behind it.
        allowed: the hosts, in lower case and without ports; `*` allows every host.
        refusal: answers the requests for other hosts.

    """

    def __init__(self, app: ASGIApp, allowed: frozenset[str], refusal: ASGIApp) -> None:
        self._app = app
        self._refusal = refusal
        self._allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or answer that the host is not served here."""
        if scope["type"] == "http" and scope["path"] not in EXEMPT_PATHS and not self._is_allowed(scope):
            await self._refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        if ANY_HOST in self._allowed:
            return True
        host: bytes = next((value for name, value in scope["headers"] if name == b"host"), b"")
        return host_name(host.decode("latin-1")) in self._allowed


@lru_cache(maxsize=NAMES_KEPT)
def host_name(host: str) -> str:
    """Return the name in a Host header: in lower case, without port and brackets; empty if it is invalid."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
