"""AsyncReporter: the same as Reporter, in one event loop."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._grpc.retry import TRY_SECONDS_MAX, failure_of
from batchprogress._reporting.buffer import BUFFER_REPORTS_MAX, Report
from batchprogress._reporting.outbox import Counts, Pause, new_outbox
from batchprogress._reporting.reports import ReportCalls
from batchprogress.errors import ReportNotTaken
from batchprogress.reporter import EXIT_SECONDS_MAX
from batchprogress.v1 import progress_pb2_grpc


class AsyncReporter(ReportCalls):
    """Reports how jobs ended, from the tasks of one event loop, without making a job wait or fail.

        async with AsyncReporter("progress:50051", "sync-2026-11") as reporter:
            with reporter.job("17"):
                await work()

    The calls that report are plain functions: they put the report into the buffer, which a task of the loop
    sends. Everything else is as with Reporter, but for the end: only `close` or leaving the context flushes,
    since no loop is left at the interpreter's exit. Use it from its loop's own thread, in one process.
    """

    def __init__(  # noqa: PLR0913  # options, by keyword only
        self,
        target: str,
        batch_id: str | None = None,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        spool: str | Path | None = None,
        strict: bool = False,
        reports_max: int = BUFFER_REPORTS_MAX,
    ) -> None:
        """Take the same as Reporter; nothing is opened before the first report."""
        super().__init__(batch_id, strict=strict)
        self._connection = Connection(target, credentials, token)
        self._outbox = new_outbox(target, None if spool is None else Path(spool), reports_max)
        self._arrived = asyncio.Event()
        self._answered = asyncio.Event()
        self._hurried = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._is_worn = False
        self._has_ended = False

    async def __aenter__(self) -> Self:
        """Begin now: with a spool, send what an earlier process has left."""
        self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; an exception of the block is never replaced by one of ours."""
        if error is None:
            await self.close()
        else:
            await self._close(EXIT_SECONDS_MAX)

    @property
    def counts(self) -> Counts:
        """What became of the reports."""
        return self._outbox.counts

    async def flush(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109  # as Reporter's
        """Wait until every report made before is answered, `timeout` seconds at the most; tell whether so.

        Raises:
            ReportsRefused: only if strict.
            ReportsUnsent: only if strict, instead of returning False.

        """
        return self._after(answered=await self._flush(timeout))

    async def close(self, timeout: float | None = EXIT_SECONDS_MAX) -> bool:  # noqa: ASYNC109  # as Reporter's
        """Flush and end; later reports are dropped and counted as CLOSED. Tell whether all were answered.

        Raises:
            ReportsRefused: only if strict.
            ReportsUnsent: only if strict, instead of returning False.

        """
        return self._after(answered=await self._close(timeout))

    def _put(self, report: Report) -> None:
        self._outbox.put(report)
        self._start()
        self._arrived.set()

    def _drop(self, error: ReportNotTaken) -> None:
        self._outbox.drop(error.reason, str(error))

    def _after(self, *, answered: bool) -> bool:
        pending = self._outbox.counts.pending
        return self._told(answered=answered, refused=self._outbox.take_refused(), pending=pending)

    def _start(self) -> None:
        """Begin to send; again, if somebody who ends every task of the loop has ended ours."""
        if self._has_ended or (self._sending is not None and not self._sending.done()):
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # a report from outside the loop waits for the next one within it
            return
        self._outbox.adopt()
        self._arrived.set()
        self._sending = loop.create_task(self._send())

    async def _flush(self, seconds_max: float | None) -> bool:
        newest = self._outbox.newest
        if self._outbox.has_waiting:
            self._start()
        self._outbox.hurry()
        self._hurried.set()
        try:
            async with asyncio.timeout(seconds_max):
                while not self._outbox.is_settled(newest):
                    self._answered.clear()
                    await self._answered.wait()
        except TimeoutError:
            return False
        return True

    async def _close(self, seconds_max: float | None) -> bool:
        self._outbox.shut()
        try:
            return await self._flush(seconds_max)
        finally:
            if not self._has_ended:
                self._has_ended = True
                await self._end()

    async def _end(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        self._outbox.give_up()

    async def _send(self) -> None:
        while True:  # again with newer certificates, if that may be what the channel needs
            self._is_worn = False
            async with self._connection.open_async() as channel:
                await self._send_over(progress_pb2_grpc.ProgressServiceStub(channel))

    async def _send_over(self, stub: "progress_pb2_grpc.ProgressServiceAsyncStub") -> None:
        while not self._is_worn:
            await self._arrived.wait()
            self._arrived.clear()
            while self._outbox.has_waiting and not self._is_worn:
                await self._rest(await self._call(stub))
        self._arrived.set()  # what waits goes over the next channel

    async def _call(self, stub: "progress_pb2_grpc.ProgressServiceAsyncStub") -> Pause:
        request = self._outbox.begin()
        try:
            response = await stub.ReportJobResults(
                request, timeout=TRY_SECONDS_MAX, metadata=self._connection.metadata()
            )
        except asyncio.CancelledError:
            self._outbox.put_back()
            raise
        except Exception as error:  # noqa: BLE001  # also the token's, which is the caller's code
            failure = failure_of(error)
            self._is_worn = self._connection.is_worn(failure.code)
            pause = self._outbox.fail(failure)
        else:
            pause = self._outbox.answer(response)
        self._answered.set()
        return pause

    async def _rest(self, pause: Pause) -> None:
        if not pause.hurried:
            await asyncio.sleep(pause.seconds)
        elif pause.seconds:
            try:
                async with asyncio.timeout(pause.seconds):
                    await self._hurried.wait()
            except TimeoutError:
                pass
        self._hurried.clear()
