"""Makes calls and watches, for threads."""

import time
from collections.abc import Iterator

import grpc

from batchprogress._calls.attempts import Attempts, Patience
from batchprogress._calls.call_errors import Subject
from batchprogress._calls.requests import Answer, Call
from batchprogress._calls.watch_cursor import WAIT_INTERVAL_SECONDS, WatchCursor
from batchprogress._grpc.channels import Channels
from batchprogress._grpc.connection import Connection
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2_grpc


class Caller:
    """Makes the calls of one client.

    Args:
        connection: the server.
        patience: how long a call may take.
        channel: a channel of the user's own, which is never closed here. Default: one to the server.

    """

    def __init__(
        self, connection: Connection, patience: Patience, channel: grpc.Channel | None = None
    ) -> None:
        self._connection = connection
        self._patience = patience
        self._channels = Channels(connection, connection.open if channel is None else lambda: channel)

    def answer(self, call: Call[Answer]) -> Answer:
        """Return the answer to a call.

        Raises:
            CallFailed: the server refused the call, or did not answer in time.

        """
        attempts = Attempts(self._connection.target, call, self._patience, time.monotonic())
        while True:
            metadata = self._connection.metadata()
            channel = self._channels.get()
            method = getattr(progress_pb2_grpc.ProgressServiceStub(channel), call.method)
            try:
                response = method(
                    call.request, timeout=attempts.seconds_left(time.monotonic()), metadata=metadata
                )
            except grpc.RpcError as error:
                self._channels.reopen_after(error, channel)
                delay = attempts.delay_after(error, time.monotonic())
                self.will_retry(error)
            else:
                return call.read(response)
            time.sleep(delay)

    def will_retry(self, error: grpc.RpcError) -> None:
        """Do nothing before another try; the command line overrides this."""

    def watch(self, batch_id: str, *, after_revision: int = 0, min_interval: float = 0.0) -> Iterator[Batch]:
        """Yield the states of a batch until it has ended.

        Raises:
            CallFailed: the server refused the watch, or broke it and there is no other try.

        """
        return self._states(
            WatchCursor(
                self._subject_of(batch_id),
                after_revision=after_revision,
                min_interval=min_interval,
                retry=self._patience.retry,
            )
        )

    def wait(self, batch_id: str, seconds_max: float) -> Batch:
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
        for _ in self._states(cursor):
            pass
        return cursor.ended_batch(seconds_max)

    def close(self) -> None:
        """Close the channel of this process; the next call opens another one."""
        channel = self._channels.pop()
        if channel is not None:
            channel.close()

    def _subject_of(self, batch_id: str) -> Subject:
        return Subject(self._connection.target, "WatchBatch", batch_id)

    def _states(self, cursor: WatchCursor) -> Iterator[Batch]:
        delay: float | None = 0.0
        while delay is not None:
            time.sleep(delay)
            metadata = self._connection.metadata()
            channel = self._channels.get()
            stream = progress_pb2_grpc.ProgressServiceStub(channel).WatchBatch(
                cursor.request,
                timeout=cursor.seconds_left(time.monotonic()),
                metadata=metadata,
                wait_for_ready=self._patience.retry and self._connection.may_wait,
            )
            error = None
            try:
                for message in stream:
                    yield cursor.advance(message.batch)
            except grpc.RpcError as broken:
                error = broken
                self._channels.reopen_after(broken, channel)
            finally:
                stream.cancel()
            delay = cursor.delay_after(error, time.monotonic())
