"""Which hosts the notify_url of a batch may lead to. Pure."""

import re
from collections.abc import Iterable

import grpc

from batchprogress.errors import FieldViolation
from batchprogress.testing._refusals import Refused

URL_CHARACTERS_MAX = 2_000
_URL = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?][!-~]*)?")
_PORTS = {"https": "443", "http": "80"}


class NotifyHosts:
    """The hosts that are allowed.

    Args:
        hosts: each is host or host:port; http://host also allows http.

    Raises:
        ValueError: one of them is not a host.

    """

    def __init__(self, hosts: Iterable[str]) -> None:
        origins = {host: _origin_of(host if "://" in host else f"https://{host}") for host in hosts}
        for host, origin in origins.items():
            if origin is None:
                raise ValueError(f"{host!r} must be host or host:port, or http://host to allow http")
        self._origins = frozenset(origins.values())

    def require_allowed(self, url: str) -> None:
        """Check the URL of a batch that is to be created; empty if there is none.

        Raises:
            Refused: it is not such a URL, or its host is not allowed.

        """
        if not url:
            return
        origin = _origin_of(url) if len(url) <= URL_CHARACTERS_MAX else None
        if origin is None:
            rule = "must be an https URL in printable ASCII without user, fragment or backslash"
            violation = FieldViolation("notify_url", rule)
            code = grpc.StatusCode.INVALID_ARGUMENT
            raise Refused(code, "INVALID_FIELD", "invalid: notify_url", [violation])
        if origin not in self._origins:
            text = f"notify_url leads to {origin}, which is not in notify_hosts of testing.server()"
            raise Refused(grpc.StatusCode.FAILED_PRECONDITION, "NOTIFY_URL_REFUSED", text)


def _origin_of(url: str) -> str | None:
    """Return the scheme, host and port of a URL; None if it is not a URL of webhooks."""
    match = _URL.fullmatch(url)
    if match is None or "\\" in url or "#" in url:
        return None
    scheme, host, port = match[1], match[2].lower(), match[3]
    return f"{scheme}://{host}" if port in {None, _PORTS[scheme]} else f"{scheme}://{host}:{port}"
