"""Makes calls and watches, in an event loop."""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

import grpc

from batchprogress._calls.attempts import Attempts, Patience
from batchprogress._calls.call_errors import Subject, raise_if_closed
from batchprogress._calls.liveness import END, Liveness
from batchprogress._calls.requests import Answer, Call
from batchprogress._calls.selection_cursor import SelectionCursor
from batchprogress._calls.waiting import Waiting
from batchprogress._calls.watch_cursor import WAIT_INTERVAL_SECONDS, WatchCursor
from batchprogress._grpc import forks
from batchprogress._grpc.channels import Channels
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import StreamSilent, TokenFailed, failure_of, without_message
from batchprogress.errors import ServerTooOld
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2_grpc

Cursor = WatchCursor | SelectionCursor


class AsyncCaller:
    """Makes the calls of one client.

    Args:
        connection: the server.
        patience: how long a call may take.
        channel: a channel of the user's own, which is never closed here. Default: one to the server.

    """

    def __init__(
        self, connection: Connection, patience: Patience, channel: grpc.aio.Channel | None = None
    ) -> None:
        self._connection = connection
        self._patience = patience
        self._channels = Channels(connection, connection.open_async if channel is None else lambda: channel)
        self._streams: set[Any] = set()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel, opened if it was not."""
        return self._channels.get()

    async def answer(self, call: Call[Answer]) -> Answer:
        """Return the answer to a call.

        Raises:
            CallFailed: the server refused the call or did not answer in time, or the client was closed.

        """
        if call.needs is not None:
            try:
                await self.answer(call.needs.call)
            except ServerTooOld:
                raise call.needs.too_old from None
        attempts = Attempts(self._connection.target, call, self._patience, time.monotonic())
        closings = self._channels.closings
        while True:
            raise_if_closed(attempts.subject, self._channels.closings > closings)
            channel = self._channels.get()
            method = getattr(call.stub(channel), call.method)
            try:
                response = await method(
                    call.request,
                    metadata=self._connection.metadata(),
                    timeout=attempts.seconds_left(time.monotonic()),
                )
            except (grpc.RpcError, TokenFailed) as error:
                failure = failure_of(error)
            except asyncio.CancelledError:
                self._raise_if_closed_not_cancelled(attempts.subject, closings)
                raise
            else:
                if response is not None:
                    answer: Answer = attempts.read(response, time.monotonic())
                    return answer
                failure = without_message()
            self._channels.reopen_after(failure, channel)
            delay = attempts.delay_after(failure, time.monotonic())
            await asyncio.sleep(delay)

    def watch(
        self,
        batch_id: str,
        *,
        after_revision: int = 0,
        min_interval: float = 0.0,
        waiting: Waiting | None = None,
    ) -> AsyncGenerator[Batch, None]:
        """Yield the states of a batch until it has ended.

        Raises:
            CallFailed: the server or a proxy refused the watch, it broke and there is no other try, or the
                client was closed.

        """
        return self.states(
            WatchCursor(
                self._subject_of(batch_id),
                after_revision=after_revision,
                min_interval=min_interval,
                retry=self._patience.retry,
                waiting=waiting,
            )
        )

    def watch_batches(
        self,
        labels: Mapping[str, str] | None = None,
        batch_id_prefix: str = "",
        min_interval: float = 1.0,
        waiting: Waiting | None = None,
    ) -> AsyncGenerator[Batch, None]:
        """Yield the states of all batches that match, for ever.

        Raises:
            CallFailed: as `watch`.

        """
        return self.states(
            SelectionCursor(
                self._connection.target,
                labels=labels,
                batch_id_prefix=batch_id_prefix,
                min_interval=min_interval,
                retry=self._patience.retry,
                waiting=waiting,
            )
        )

    async def wait(self, batch_id: str, seconds_max: float) -> Batch:
        """Return a batch when it has ended.

        Raises:
            CallFailed: as `watch`.
            WaitTimeout: the time is over.

        """
        cursor = WatchCursor(
            self._subject_of(batch_id),
            min_interval=WAIT_INTERVAL_SECONDS,
            deadline=time.monotonic() + seconds_max,
            retry=self._patience.retry,
        )
        async for _ in self.states(cursor):
            pass
        return cursor.ended_batch(seconds_max)

    async def close(self) -> None:
        """Close the channels of this process; the next call opens another one."""
        channels = self._channels.pop()
        if channels:  # a forked child has none, and must not end the streams of its parent
            for stream in tuple(self._streams):  # older grpcio leaves the reader of a closed channel waiting
                stream.cancel()
        for channel in channels:
            await channel.close()

    def _subject_of(self, batch_id: str) -> Subject:
        return Subject(self._connection.target, "WatchBatch", batch_id)

    def _raise_if_closed_not_cancelled(self, subject: Subject, closings: int) -> None:
        """Tell a closed channel, whose calls grpc.aio cancels, from a task that is cancelled itself."""
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            raise_if_closed(subject, self._channels.closings > closings)

    async def states(self, cursor: Cursor) -> AsyncGenerator[Batch, None]:
        """Yield the states that a cursor asks for, through any number of streams."""
        delay: float | None = 0.0
        closings = self._channels.closings
        while delay is not None:
            await asyncio.sleep(delay)
            raise_if_closed(cursor.subject, self._channels.closings > closings)
            failure = None
            with self._channels.for_watch() as channel:
                try:
                    async with aclosing(self._responses(channel, cursor)) as responses:
                        async for response in responses:
                            for batch in cursor.news(response):
                                yield batch
                except (grpc.RpcError, TokenFailed, StreamSilent) as broken:
                    failure = failure_of(broken)
                    self._channels.reopen_after(failure, channel)
                except asyncio.CancelledError:
                    self._raise_if_closed_not_cancelled(cursor.subject, closings)
                    raise
            delay = cursor.delay_after(failure, time.monotonic())

    async def _responses(self, channel: grpc.aio.Channel, cursor: Cursor) -> AsyncGenerator[Any, None]:
        """Yield the responses of one stream; after a failure, that of a unary call first."""
        stub = progress_pb2_grpc.ProgressServiceStub(channel)
        if cursor.asks_first:
            yield await getattr(stub, cursor.question_method)(
                cursor.question,
                timeout=cursor.question_seconds(time.monotonic()),
                metadata=self._connection.metadata(),
            )
        pid = os.getpid()
        stream = forks.keep(
            getattr(stub, cursor.subject.method)(
                cursor.request,
                timeout=cursor.seconds_left(time.monotonic()),
                metadata=self._connection.metadata(),
            )
        )
        self._streams.add(stream)
        try:
            async with aclosing(_heard(stream)) as responses:
                async for response in responses:
                    yield response
        finally:
            self._streams.discard(stream)
            if os.getpid() == pid:  # a child would end the stream of its parent
                stream.cancel()


async def _heard(stream: Any) -> AsyncGenerator[Any, None]:
    """Yield the responses of a stream.

    Raises:
        StreamSilent: none came for so long that the stream is dead.

    """
    liveness, responses = Liveness(), aiter(stream)
    while True:
        seconds_max = liveness.silent_seconds_max
        try:
            async with asyncio.timeout(seconds_max):
                response = await anext(responses, END)
        except TimeoutError:
            raise StreamSilent(seconds_max or 0.0) from None
        if response is END:
            return
        if not liveness.has_begun:
            liveness.begin(await stream.initial_metadata() if hasattr(stream, "initial_metadata") else ())
        liveness.note(response)
        yield response
