"""Which hosts the notify_url of a batch may lead to. Pure.

Without a list, whoever may create batches could let the notifier call any server, signed by nobody's secret.
"""

from batches.webhook_url import Origin, origin_of
from services.progress.errors import NotifyUrlRefused


class NotifyHosts:
    """The hosts that the operator allows.

    Args:
        text: host or host:port, separated by commas; http://host also allows http.

    Raises:
        ValueError: an entry is not a host.

    """

    def __init__(self, text: str) -> None:
        entries = (entry.strip() for entry in text.split(","))
        self._origins = frozenset(_origin_in(entry) for entry in entries if entry)

    def require_allowed(self, url: str | None) -> None:
        """Check the URL of a batch that is to be created.

        Raises:
            NotifyUrlRefused: its host is not in the list; the text quotes the host alone.

        """
        if url is not None and (origin := origin_of(url)) not in self._origins:
            raise NotifyUrlRefused(f"{origin.scheme}://{origin.host}")


def _origin_in(entry: str) -> Origin:
    url = entry if "://" in entry else f"https://{entry}"
    rule = "must be host or host:port, or http://host to allow http"
    try:
        origin = origin_of(url)
    except ValueError:
        raise ValueError(f"{entry!r} {rule}") from None
    if url.lower().removesuffix(":443" if origin.scheme == "https" else ":80") != (
        f"{origin.scheme}://{origin.host}"
    ):
        raise ValueError(f"{entry!r} {rule}")
    return origin
