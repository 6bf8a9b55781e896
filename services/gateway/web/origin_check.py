"""Lets no other website change anything in the name of its visitors.

A proxy may add the token of a person to every request of their browser, those of other websites among them.
Browsers send the header Origin with each POST, and programs that are not browsers do not send it.
"""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

ANY_ORIGIN = "*"
SAME_ORIGIN = b"same-origin"


class OriginCheck:
    """Refuses requests of other websites.

    Args:
        app: the application behind it.
        allowed: other origins whose pages may call it, in lower case; `*` allows all.
        refusal: answers the requests of others.

    """

    def __init__(self, app: ASGIApp, allowed: Collection[str], refusal: ASGIApp) -> None:
        self._app = app
        self._allowed = frozenset(allowed)
        self._refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, or answer that the origin is foreign."""
        app = self._app if self._is_allowed(scope) else self._refusal
        await app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if b"origin" not in headers or headers.get(b"sec-fetch-site") == SAME_ORIGIN:
            return True
        origin = headers[b"origin"].decode("latin-1").lower()
        if ANY_ORIGIN in self._allowed or origin in self._allowed:
            return True
        return _authority(origin) == headers.get(b"host", b"").decode("latin-1").lower()


def _authority(origin: str) -> str | None:
    """Return the host and port of an origin; None if it has none, as `null`."""
    scheme, _, authority = origin.partition("://")
    return authority if scheme in {"http", "https"} and authority else None
