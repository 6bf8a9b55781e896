"""Makes calls and watches, for threads."""

import os
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from typing import Any

import grpc

from batchprogress._calls.attempts import Attempts, Patience
from batchprogress._calls.call_errors import Subject, raise_if_closed
from batchprogress._calls.liveness import END, Liveness
from batchprogress._calls.requests import Answer, Call
from batchprogress._calls.selection_cursor import SelectionCursor
from batchprogress._calls.silence_guard import guard
from batchprogress._calls.waiting import Waiting
from batchprogress._calls.watch_cursor import WAIT_INTERVAL_SECONDS, WatchCursor
from batchprogress._grpc import forks
from batchprogress._grpc.channels import Channels
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import Failure, StreamSilent, TokenFailed, failure_of, without_message
from batchprogress.errors import ServerTooOld
from batchprogress.models import Batch
from batchprogress.v1 import progress_pb2_grpc

Cursor = WatchCursor | SelectionCursor


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
            CallFailed: the server refused the call or did not answer in time, or the client was closed.

        """
        if call.needs is not None:
            try:
                self.answer(call.needs.call)
            except ServerTooOld:
                raise call.needs.too_old from None
        attempts = Attempts(self._connection.target, call, self._patience, time.monotonic())
        closings = self._channels.closings
        while True:
            raise_if_closed(attempts.subject, self._channels.closings > closings)
            channel = self._channels.get()
            method = getattr(call.stub(channel), call.method)
            try:
                response = method(
                    call.request,
                    metadata=self._connection.metadata(),
                    timeout=attempts.seconds_left(time.monotonic()),
                )
            except (grpc.RpcError, TokenFailed) as error:
                failure = failure_of(error)
            else:
                if response is not None:
                    answer: Answer = attempts.read(response, time.monotonic())
                    return answer
                failure = without_message()
            self._channels.reopen_after(failure, channel)
            delay = attempts.delay_after(failure, time.monotonic())
            self.will_retry(failure)
            time.sleep(delay)

    def will_retry(self, failure: Failure) -> None:
        """Do nothing before another try; the command line overrides this."""

    def watch(
        self,
        batch_id: str,
        *,
        after_revision: int = 0,
        min_interval: float = 0.0,
        waiting: Waiting | None = None,
    ) -> Generator[Batch, None, None]:
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
    ) -> Generator[Batch, None, None]:
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
        for _ in self.states(cursor):
            pass
        return cursor.ended_batch(seconds_max)

    def close(self) -> None:
        """Close the channels of this process; the next call opens another one."""
        channels = self._channels.pop()
        # A watch that is held until the interpreter ends is closed only then. gRPC's close() waits for a
        # thread that no longer runs, and the process would never exit; its end closes the connection anyway.
        if not sys.is_finalizing():
            for channel in channels:
                channel.close()

    def _subject_of(self, batch_id: str) -> Subject:
        return Subject(self._connection.target, "WatchBatch", batch_id)

    def states(self, cursor: Cursor) -> Generator[Batch, None, None]:
        """Yield the states that a cursor asks for, through any number of streams."""
        delay: float | None = 0.0
        closings = self._channels.closings
        while delay is not None:
            time.sleep(delay)
            raise_if_closed(cursor.subject, self._channels.closings > closings)
            failure = None
            with self._channels.for_watch() as channel:
                try:
                    with closing(self._responses(channel, cursor)) as responses:
                        for response in responses:
                            yield from cursor.news(response)
                except (grpc.RpcError, TokenFailed, StreamSilent) as broken:
                    failure = failure_of(broken)
                    self._channels.reopen_after(failure, channel)
            delay = cursor.delay_after(failure, time.monotonic())

    def _responses(self, channel: grpc.Channel, cursor: Cursor) -> Generator[Any, None, None]:
        """Yield the responses of one stream; after a failure, that of a unary call first."""
        stub = progress_pb2_grpc.ProgressServiceStub(channel)
        if cursor.asks_first:
            yield getattr(stub, cursor.question_method)(
                cursor.question,
                timeout=cursor.question_seconds(time.monotonic()),
                metadata=self._connection.metadata(),
            )
        pid = os.getpid()
        stream: Any = forks.keep(
            getattr(stub, cursor.subject.method)(
                cursor.request,
                timeout=cursor.seconds_left(time.monotonic()),
                metadata=self._connection.metadata(),
            )
        )
        try:
            with closing(_heard(stream)) as responses:
                for response in responses:
                    yield response
                    if os.getpid() != pid:  # a child that was forked meanwhile opens a stream of its own
                        return
        finally:
            if os.getpid() == pid:  # a child would end the stream of its parent
                # An interceptor, such as OpenTelemetry's, may give a generator instead of gRPC's call.
                (stream.cancel if hasattr(stream, "cancel") else stream.close)()


def _heard(stream: Any) -> Generator[Any, None, None]:
    """Yield the responses of a stream.

    Raises:
        StreamSilent: none came for so long that the stream is dead. The generator of an interceptor cannot be
            ended by another thread: its silence has no limit.

    """
    liveness, responses = Liveness(), iter(stream)
    cancel = getattr(stream, "cancel", None)
    while True:
        with guard().waiting(cancel, liveness.silent_seconds_max):
            response = next(responses, END)
        if response is END:
            return
        if not liveness.has_begun:
            liveness.begin(stream.initial_metadata() if hasattr(stream, "initial_metadata") else ())
        liveness.note(response)
        yield response
