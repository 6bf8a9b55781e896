"""URLs of webhooks. Pure.

The form is narrow, so that no two programs can read different hosts out of one URL: printable ASCII, no user,
no fragment, no backslash.
"""

import re
from dataclasses import dataclass

from batches.delivery import HOST_CHARACTERS_MAX, NOTIFY_URL_CHARACTERS_MAX

_URL = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?(?:[/?][!-~]*)?")
_PORTS = {"https": 443, "http": 80}
_PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a URL leads."""

    scheme: str
    host: str
    """In lower case; with :port, unless it is the port of the scheme."""


def origin_of(url: str) -> Origin:
    """Return where a URL of a webhook leads.

    Raises:
        ValueError: it is not such a URL; the text says why and does not quote it.

    """
    if len(url) > NOTIFY_URL_CHARACTERS_MAX:
        raise ValueError(f"must have at most {NOTIFY_URL_CHARACTERS_MAX} characters")
    match = _URL.fullmatch(url)
    if match is None or "\\" in url or "#" in url:
        raise ValueError("must be an https URL in printable ASCII without user, fragment or backslash")
    scheme, host, port = match[1], match[2].lower(), match[3]
    if len(host) > HOST_CHARACTERS_MAX - len(":65535"):
        raise ValueError("has a host that is too long")
    if port is not None and not 0 < int(port) <= _PORT_MAX:
        raise ValueError("has an invalid port")
    is_usual = port is None or int(port) == _PORTS[scheme]
    return Origin(scheme, host if is_usual else f"{host}:{int(port)}")
