"""Client: every call of Batch Progress, for threads."""

import math
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from batchprogress._calls import requests
from batchprogress._calls.attempts import CALL_SECONDS_MAX, Patience
from batchprogress._calls.caller import Caller
from batchprogress._calls.changes import Changes
from batchprogress._calls.creation import IfEnded
from batchprogress._calls.deliveries import Deliveries
from batchprogress._calls.reads import Reads
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress.models import Batch
from batchprogress.reporter import Reporter


class Client(Changes, Reads, Deliveries):
    """Creates, reads and watches batches. Safe to share between threads.

    Nothing is connected before the first call, so a fork after the construction is safe. The calls of a child
    that is forked later, and those of a process of gevent or eventlet, are made by another process, which is
    started when it is needed. A client can be pickled.

    A call that the server refuses raises a CallFailed, for example BatchNotFound or PermissionDenied. While
    the server is away, a call is tried again with growing, random delays until `timeout`, then it raises
    Unavailable. Every call may be repeated: it changes nothing twice.

    Args:
        target: host:port, or any gRPC name, for example dns:///progress:50051 for all replicas of a Service.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Default: plaintext.
        token: a bearer token, or a function that returns the current one; it is sent with each call.
        timeout: how long a call may take with all its tries, in seconds; not of `watch` and `wait`.
        retry: whether to try again, and to resume watches. False raises Unavailable at the first failure.

    Example:
        >>> with Client("progress:50051") as client:
        ...     client.create("sync-2026-11", 1037)

    """

    def __init__(
        self,
        target: str,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        timeout: float = CALL_SECONDS_MAX,
        retry: bool = True,
    ) -> None:
        self._connection = Connection(target, credentials, token)
        self._patience = Patience(timeout, retry)
        self._caller = Caller(self._connection, self._patience)

    def __getstate__(self) -> tuple[Connection, Patience]:
        """Return what another process needs to make the same calls, over a connection of its own."""
        return self._connection, self._patience

    def __setstate__(self, state: tuple[Connection, Patience]) -> None:
        """Begin without a connection."""
        self._connection, self._patience = state
        self._caller = Caller(self._connection, self._patience)

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    @property
    def connection(self) -> Connection:
        """How the server is reached."""
        return self._connection

    def close(self) -> None:
        """Close the connection of this process; a later call opens another one.

        Example:
            >>> client = Client("progress:50051")
            >>> client.close()

        """
        self._caller.close()

    def create(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str | None,
        total_jobs: int,
        *,
        sealed: bool = True,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        if_ended: IfEnded = "return",
        max_failed_jobs: int | None = None,
        max_failed_percent: int | None = None,
        notify_url: str = "",
    ) -> Batch:
        """Create a batch, or return the one that exists with the same id, total and `sealed`.

        A batch that is still processing is never replaced, so the call may be repeated.

        Args:
            batch_id: 1 to 128 printable ASCII characters without spaces; None chooses a new UUID.
            total_jobs: the number of jobs, or the number so far if the batch is not sealed.
            sealed: whether the total is final. False if jobs will be added.
            display_name: a name for people, at most 200 characters.
            labels: up to 32 labels to find batches by.
            if_ended: what to do if the batch exists and has ended: "return" it with a warning in the log,
                raise an "error", or "replace" it by a new one, which deletes its results.
            max_failed_jobs: how many jobs may fail: one more cancels the batch. Default: any number.
            max_failed_percent: instead, which share of all jobs may fail, 0 to 99; it applies once the batch
                is sealed.
            notify_url: a URL that gets the webhooks of this batch; the operator must allow its host.
                Default: none.

        Returns:
            The batch as it is now.

        Raises:
            BatchConflict: the id exists with other numbers or another failure limit.
            BatchEnded: the batch has ended, and if_ended is "error".
            ServerTooOld: the server does not know if_ended and the batch has ended, or it does not know the
                failure limit or notify_url.
            InvalidRequest: an argument breaks a rule of the contract, or the operator does not allow the host
                of notify_url.

        Example:
            >>> batch = client.create("sync-2026-11", 1037, labels={"team": "sales"})
            >>> print(batch.state)
            processing

        """
        call = requests.create(
            batch_id,
            total_jobs,
            sealed=sealed,
            display_name=display_name,
            labels=labels,
            if_ended=if_ended,
            max_failed_jobs=max_failed_jobs,
            max_failed_percent=max_failed_percent,
            notify_url=notify_url,
        )
        return self._write(call)

    def watch(
        self, batch_id: str, *, after_revision: int = 0, min_interval: float = 0.0
    ) -> Generator[Batch, None, None]:
        """Yield a batch as it is now and each time it changes, through server restarts, until it has ended.

        Revisions rise, except after a fail-over of the database that lost changes. States may be skipped; the
        last one, completed or cancelled, never is.

        Args:
            batch_id: the batch.
            after_revision: only states newer than this revision. 0 yields the present one too.
            min_interval: the least time between two states, 0 to 60 seconds. The last one is not delayed.

        Returns:
            An iterator over the states; the server is asked at its first step.

        Raises:
            BatchNotFound: there is no such batch, or it was deleted meanwhile.

        Example:
            >>> for batch in client.watch("sync-2026-11"):
            ...     print(f"{batch.ended_jobs}/{batch.total_jobs}")

        """
        return self._caller.watch(batch_id, after_revision=after_revision, min_interval=min_interval)

    def watch_batches(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        batch_id_prefix: str = "",
        min_interval: float = 1.0,
    ) -> Generator[Batch, None, None]:
        """Yield all batches that match, as they are now and each time one changes, through server restarts.

        It begins with the batches that are processing, and does not end. New batches and ends are yielded,
        no end is missed, and other states may be skipped. A batch is not followed beyond its end; one that
        was deleted before its end was seen is yielded once more, with `is_deleted`.

        Args:
            labels: only batches that carry all of these labels. Default: all.
            batch_id_prefix: only batches whose ids begin with this. Default: all.
            min_interval: the least time between two states of a batch, 0 to 60 seconds. Ends are not delayed.

        Returns:
            An iterator over the states; the server is asked at its first step.

        Raises:
            TooManyBatches: more than 1,000 matching batches are processing.
            ServerTooOld: the server is of version 0.1.

        Example:
            >>> batch = client.create("sync-2026-11", 1037, labels={"team": "sales"})
            >>> for batch in client.watch_batches(labels={"team": "sales"}):
            ...     print(batch.batch_id, batch.state, batch.percent_complete)
            ...     break
            sync-2026-11 processing 0

        """
        return self._caller.watch_batches(labels, batch_id_prefix, min_interval)

    def wait(self, batch_id: str, timeout: float = math.inf) -> Batch:
        """Wait until a batch has ended.

        Args:
            batch_id: the batch.
            timeout: how long to wait, in seconds. Default: for ever.

        Returns:
            The ended batch: completed or cancelled.

        Raises:
            BatchNotFound: there is no such batch, or it was deleted meanwhile.
            WaitTimeout: the batch has not ended in time; `.batch` is its last state.

        Example:
            >>> batch = client.wait("sync-2026-11", timeout=3600)
            >>> print(batch.succeeded_jobs, batch.failed_jobs)

        """
        return self._caller.wait(batch_id, timeout)

    def reporter(self, batch_id: str, *, spool: str | Path | None = None, strict: bool = False) -> Reporter:
        """Return a new Reporter of a batch at the same server. It has a connection of its own.

        Args:
            batch_id: the batch.
            spool: a folder on a local disk that keeps unanswered reports for the next process. Default: none.
            strict: whether the reporter raises what it otherwise logs.

        Returns:
            The reporter; it lives on when the client is closed.

        Example:
            >>> with client.reporter("sync-2026-11") as reporter:
            ...     reporter.succeeded("17")

        """
        return Reporter(
            self._connection.target,
            batch_id,
            credentials=self._connection.credentials,
            token=self._connection.token,
            spool=spool,
            strict=strict,
        )
