"""Errors of the server itself, apart from those of a batch."""


class ShuttingDown(Exception):
    """This server is shutting down; another server, or the next one, answers the same request."""


class HistoryRewound(Exception):
    """For a while, the database has had an older state than was sent: a fail-over lost changes."""


class BacklogFull(Exception):
    """Too many results wait to be recorded."""


class CallerResultsFull(Exception):
    """The caller has more results that wait than its limit allows."""


class TooManyWatches(Exception):
    """This server has too many open watches."""


class WatchTokensOff(Exception):
    """This server creates no watch tokens; the text says why."""


class PrefixedToken(Exception):
    """What the caller asks for is about all batches, and its token is for those of a prefix."""


class NotifyUrlRefused(Exception):
    """The operator does not allow the host of a notify_url.

    Args:
        origin: the scheme and the host: the rest of a URL may be a secret.

    """

    def __init__(self, origin: str) -> None:
        super().__init__(f"notify_url leads to {origin}, which is not in PROGRESS_NOTIFY_HOSTS of the server")


class ForeignBatchId(Exception):
    """A caller may create only batches whose ids begin with its prefix.

    Args:
        batch_prefix: the caller's own prefix.

    """

    def __init__(self, batch_prefix: str) -> None:
        super().__init__(f"the ids of this caller's batches begin with {batch_prefix}")


class TooManyBatches(Exception):
    """More matching batches are under way than one watch may have."""

    def __init__(self, batches_max: int) -> None:
        super().__init__(
            f"more than {batches_max:,} matching batches are processing: watch fewer by labels or by a prefix"
        )


class WatchTooSlow(Exception):
    """More batches have ended than the server keeps for a watcher that does not read."""
