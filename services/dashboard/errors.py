"""Why a page cannot get what it asks for. The docstrings are shown to people."""


class DashboardError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        """Return the sentence for people."""
        return type(self).__doc__ or ""


class BatchUnknown(DashboardError):
    """There is no such batch: it was never created here, its retention has passed, or another has its id."""


class InvalidQuestion(DashboardError):
    """The request is invalid: check the filter, the batch id or the page address."""


class ServerAway(DashboardError):
    """The progress server does not answer."""

    def __init__(self, retry_seconds: float = 0.0) -> None:
        """Keep the delay that the server asked for, in seconds."""
        super().__init__()
        self.retry_seconds = retry_seconds


class Refused(DashboardError):
    """The progress server refuses this dashboard: its operator should check its log, token and TLS."""


class TooMany(DashboardError):
    """The dashboard is at its limit of viewers or batches; try again in a moment."""


class Busy(DashboardError):
    """The dashboard has too many other requests to answer."""


class Defective(DashboardError):
    """The dashboard itself failed: its operator should check its log."""
