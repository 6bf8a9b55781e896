"""Creates and extends batches for programs that enqueue jobs, without failing them."""

import logging
from collections.abc import Callable, Mapping

from batchprogress._calls.attempts import CALL_SECONDS_MAX
from batchprogress._calls.creation import IfEnded
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.error_text import message_of
from batchprogress.client import Client
from batchprogress.errors import BatchEnded, ProgressError

_log = logging.getLogger("batchprogress")


class BestEffortClient:
    """Calls Client, and logs a failed call instead of raising: the jobs are enqueued all the same.

    A wrong argument is not a failed call: it raises, for example a TypeError. Reports of a batch that does
    not exist are dropped. Once it is created (`batchprogress create`), the reconciler takes its results from
    the queue.

    Args:
        connection: how the server is reached. It is opened for each call and closed after it: programs that
            enqueue also fork, which gRPC's threads do not survive.
        strict: raise a failure instead of logging it.
        timeout: how many seconds a call may take with all its tries.

    """

    def __init__(self, connection: Connection, *, strict: bool, timeout: float = CALL_SECONDS_MAX) -> None:
        self._connection = connection
        self._strict = strict
        self._timeout = timeout

    def create(  # noqa: PLR0913  # options, by keyword only
        self,
        batch_id: str,
        total_jobs: int,
        *,
        sealed: bool = True,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
        if_ended: IfEnded = "return",
        max_failed_jobs: int | None = None,
        max_failed_percent: int | None = None,
    ) -> bool:
        """Create a batch, as `Client.create`; return whether it exists now.

        Raises:
            BatchEnded: the batch has ended, and if_ended is "error".
            CallFailed: any other failure, only if strict.

        """
        return self._try(
            batch_id,
            lambda client: client.create(
                batch_id,
                total_jobs,
                sealed=sealed,
                display_name=display_name,
                labels=labels,
                if_ended=if_ended,
                max_failed_jobs=max_failed_jobs,
                max_failed_percent=max_failed_percent,
            ),
        )

    def add_jobs(self, batch_id: str, additional_jobs: int, request_id: str) -> bool:
        """Add jobs to an unsealed batch, once for each request_id; return whether they are added now.

        Raises:
            CallFailed: only if strict.

        """
        return self._try(batch_id, lambda client: client.add_jobs(batch_id, additional_jobs, request_id))

    def seal(self, batch_id: str) -> bool:
        """Declare that no more jobs will be added; return whether the batch is sealed now.

        Raises:
            CallFailed: only if strict.

        """
        return self._try(batch_id, lambda client: client.seal(batch_id))

    def _try(self, batch_id: str, call: Callable[[Client], object]) -> bool:
        server = self._connection
        try:
            with Client(
                server.target, credentials=server.credentials, token=server.token, timeout=self._timeout
            ) as client:
                call(client)
        except BatchEnded:  # the jobs would be taken for those of an earlier run
            raise
        except ProgressError as error:  # a wrong argument is the caller's mistake, and raised
            if self._strict:
                raise
            _log.warning("batch %s was not changed: %s", batch_id, message_of(error))
            return False
        return True
