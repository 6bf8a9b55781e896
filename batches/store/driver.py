"""Connections of the driver for MySQL and MariaDB whose waits for an answer are limited by a timer.

The driver itself starts a task for each wait that it limits. A report waits up to five times, since the
server sends the answer to each statement of a script as soon as it has it.
"""

from typing import Any

from asyncmy import connection

_Connection: Any = connection.Connection


class _TimedConnection(_Connection):  # type: ignore[misc]  # its types lack the method that waits
    """A connection that is lost if an answer does not come in time."""

    answer_seconds_max: float

    async def _fill_buffer(self, need: int) -> None:
        """Wait for bytes of the server; the driver's own method fails as soon as the connection is lost."""
        # With TLS, closing the connection instead would wait for the server once more.
        limit = self._loop.call_later(self.answer_seconds_max, self._transport.abort)
        try:
            await super()._fill_buffer(need)
        finally:
            limit.cancel()


async def connect(*, answer_seconds_max: float, **options: Any) -> Any:
    """Connect to a server.

    Args:
        answer_seconds_max: How long the server may be silent while it is waited for.
        options: Those of the driver.

    Raises:
        asyncmy.errors.Error: the server does not answer, or refuses.

    """
    timed = _TimedConnection(**options)
    timed.answer_seconds_max = answer_seconds_max
    await timed.connect()
    return timed
