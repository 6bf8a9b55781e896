"""AsyncReporter: the Reporter for event loops."""

import asyncio
from types import TracebackType
from typing import Self

from batchprogress._reporting.base_reporter import EXIT_SECONDS_MAX, BaseReporter


class AsyncReporter(BaseReporter):
    """Reports how jobs ended, and never makes a job wait or fail; `flush` and `close` are coroutines.

    It takes the arguments of Reporter and behaves like it: the methods that report are plain functions, and
    the reports are sent by a thread, never by the event loop.

    Example:
        >>> async with AsyncReporter("progress:50051", "sync-2026-11") as reporter:
        ...     with reporter.job("17"):
        ...         await asyncio.sleep(0)

    """

    async def __aenter__(self) -> Self:
        """Start now: with a spool, send what earlier processes left."""
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close. An exception of the block is never replaced by one of the reporter."""
        if error is None:
            await self.close()
        else:
            await self._close(self._exit_seconds_max)

    async def flush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # as in Reporter
        """Wait until every report made before is answered.

        Args:
            timeout: how many seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether every report was answered in time.

        Raises:
            ReportsRefused: only if strict: the server refused reports.
            ReportsUnsent: only if strict: instead of returning False.

        Example:
            >>> reporter.succeeded("17")
            >>> await reporter.flush(timeout=5)
            True

        """
        return self._checked(is_flushed=await self._flush(timeout))

    async def close(self, timeout: float | None = EXIT_SECONDS_MAX) -> bool:  # noqa: ASYNC109  # as in Reporter
        """Flush and stop. Later reports are dropped and counted as CLOSED.

        Args:
            timeout: how many seconds to wait at most; None waits as long as it takes.

        Returns:
            Whether every report was answered in time.

        Raises:
            ReportsRefused: only if strict: the server refused reports.
            ReportsUnsent: only if strict: instead of returning False.

        Example:
            >>> reporter.succeeded("17")
            >>> await reporter.close(timeout=5)
            True

        """
        return self._checked(is_flushed=await self._close(timeout))

    async def _flush(self, seconds_max: float | None) -> bool:
        flushed = self._sender.start_flush()
        if flushed.done():
            return flushed.result()
        try:
            async with asyncio.timeout(seconds_max):
                return await asyncio.wrap_future(flushed)
        except TimeoutError:
            return False

    async def _close(self, seconds_max: float | None) -> bool:
        try:
            await asyncio.sleep(0)  # a job that a time limit has just ended is reported in the next step
        finally:
            self._sender.refuse_new()
        try:
            return await self._flush(seconds_max)
        finally:
            await asyncio.to_thread(self._sender.stop)
