"""Why a page cannot be shown what it asks for. The docstrings are what people read."""


class DashboardError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        """Return the sentence for people."""
        return type(self).__doc__ or ""


class BatchUnknown(DashboardError):
    """There is no such batch: it was never created here, or was deleted after its time."""


class InvalidQuestion(DashboardError):
    """The progress server cannot answer this: a filter, an id or a page's address is not valid."""


class ServerAway(DashboardError):
    """The progress server does not answer."""

    def __init__(self, retry_seconds: float = 0.0) -> None:
        """Hold how long the server asks to be left alone."""
        super().__init__()
        self.retry_seconds = retry_seconds


class Refused(DashboardError):
    """The progress server refuses this dashboard: whoever runs it should look at its log, token and TLS."""


class TooMany(DashboardError):
    """The dashboard shows as much as it may; try again in a moment."""


class Defective(DashboardError):
    """The dashboard itself has failed: whoever runs it should look at its log."""
