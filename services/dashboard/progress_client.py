"""The dashboard's client of ProgressService, and what its failures mean to a page."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager

from batchprogress import AsyncClient, BatchNotFound, CallFailed, InvalidRequest, Unavailable
from services.dashboard.convert import to_snapshot
from services.dashboard.errors import BatchUnknown, InvalidQuestion, ServerAway
from services.dashboard.lane import Lane
from services.dashboard.refusals import Refusals
from services.dashboard.states import Snapshot

ANSWER_SECONDS_MAX = 5.0
"""A server answers in milliseconds; after this long the page says that it is down."""
READS_MAX = 4
"""Reads of watched batches at a time, before or beside their streams: each takes milliseconds."""
STATE_INTERVAL_SECONDS = 0.25
"""The interval of a watched batch's states: a bar animates four states a second as smoothly as twenty."""


class ProgressClient:
    """Reads batches for pages.

    Args:
        client: a client that does not retry: a page rather shows that the server is down.
        watches_max: batches watched at a time; each has at most one read under way.

    """

    def __init__(self, client: AsyncClient, watches_max: int) -> None:
        self.client = client
        self._reads = Lane(READS_MAX, watches_max)
        self._refusals = Refusals()

    async def get_batch(self, batch_id: str) -> Snapshot:
        """Return a batch as it is now; raises a DashboardError."""

        async def read() -> Snapshot:
            with self.translated():
                return to_snapshot(await self.client.get(batch_id))

        return await self._reads.admit(read)

    async def watch(self, batch_id: str, after_revision: int) -> AsyncGenerator[Snapshot, None]:
        """Yield the newer states of a batch from one stream, until it ends; raises a DashboardError."""
        states = self.client.watch(
            batch_id, after_revision=after_revision, min_interval=STATE_INTERVAL_SECONDS
        )
        with self.translated():
            async with aclosing(states):
                async for batch in states:
                    yield to_snapshot(batch)

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Raise a DashboardError for each failed call; the server's own text is logged, not shown."""
        try:
            yield
        except BatchNotFound as error:
            raise BatchUnknown from error
        except InvalidRequest as error:
            raise InvalidQuestion from error
        except Unavailable as error:
            if (unusable := _token_error(error)) is not None:
                raise self._refusals.tell("cannot use the token file", str(unusable)) from error
            raise ServerAway(error.retry_seconds) from error
        except CallFailed as error:
            raise self._refusals.tell("refused by the progress server", error.reason) from error
        except OSError as error:
            raise self._refusals.tell("cannot read a certificate file", str(error.strerror)) from error
        except ValueError as error:
            raise self._refusals.tell("cannot use the token file", str(error)) from error


def _token_error(error: Unavailable) -> ValueError | None:
    """Return why the token file has no token; None if the call was unavailable for another reason.

    To the client a token function that raises is a failed try, since others fetch their tokens.
    """
    failed = error.__cause__
    cause = None if failed is None else failed.__cause__
    return cause if isinstance(cause, ValueError) else None
