"""Batches: what the program does that enqueues the jobs."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Self

from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._grpc.retry import TRY_SECONDS_MAX, failure_of
from batchprogress.errors import BatchNotChanged
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc

ANSWER_SECONDS_MAX = 10.0
"""How long enqueuing waits for a server: one that is restarted is back by then."""

_log = logging.getLogger("batchprogress")


class Batches:
    """Creates batches, adds jobs to them and seals them, before the jobs are enqueued.

        Batches("progress:50051").create("sync-2026-11", 1037)

    Each call waits for its answer, is tried again for 10 s, and tells whether it was answered. What fails is
    logged and fails no job: enqueue them anyway. Reports of a batch that is not there are dropped; once it
    is created (`batchprogress create`) the reconciler takes its results from the queue. A call may be made
    again with the same arguments, by a program that was killed in the middle: it changes nothing twice.
    """

    def __init__(
        self,
        target: str,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        strict: bool = False,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
    ) -> None:
        """Take the same as Reporter; nothing is opened before a call, or stays open after it."""
        self._connection = Connection(target, credentials, token)
        self._strict = strict
        self._answer_seconds_max = answer_seconds_max

    @classmethod
    def of(cls, connection: Connection, *, strict: bool) -> Self:
        """Take the connection of a reporter."""
        return cls(
            connection.target, credentials=connection.credentials, token=connection.token, strict=strict
        )

    def create(
        self,
        batch_id: str,
        total_jobs: int,
        *,
        sealed: bool = True,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> bool:
        """Create a batch; `sealed=False` if jobs will be added.

        Raises:
            BatchNotChanged: only if strict: BATCH_CONFLICT (the id exists with other numbers), or no answer.

        """
        request = pb.CreateBatchRequest(
            batch_id=batch_id,
            total_jobs=total_jobs,
            sealed=sealed,
            display_name=display_name,
            labels=labels or {},
        )
        return self._ask(batch_id, lambda stub, **options: stub.CreateBatch(request, **options))

    def add_jobs(self, batch_id: str, additional_jobs: int, request_id: str) -> bool:
        """Add jobs to an unsealed batch, once for each request_id.

        Raises:
            BatchNotChanged: only if strict: as BATCH_SEALED, BATCH_NOT_FOUND, or no answer.

        """
        request = pb.AddJobsRequest(batch_id=batch_id, additional_jobs=additional_jobs, request_id=request_id)
        return self._ask(batch_id, lambda stub, **options: stub.AddJobs(request, **options))

    def seal(self, batch_id: str) -> bool:
        """Say that no more jobs will be added: only then can the batch complete.

        Raises:
            BatchNotChanged: only if strict: BATCH_NOT_FOUND, or no answer.

        """
        request = pb.SealBatchRequest(batch_id=batch_id)
        return self._ask(batch_id, lambda stub, **options: stub.SealBatch(request, **options))

    def _ask(self, batch_id: str, call: Callable[..., object]) -> bool:
        try:
            self._call_until_answered(call)
        except BatchNotChanged as error:
            if self._strict:
                raise
            _log.warning("batch %s is not as it should be: %s: %s", batch_id, error.reason, error)
            return False
        return True

    def _call_until_answered(self, call: Callable[..., object]) -> None:
        """Call, and again while that may help and there is time."""
        deadline = time.monotonic() + self._answer_seconds_max
        tries = 0
        # A channel for each call: enqueuing programs fork, and an open one would not survive that.
        with self._connection.open() as channel:
            stub = progress_pb2_grpc.ProgressServiceStub(channel)
            while True:
                try:
                    seconds_max = min(TRY_SECONDS_MAX, max(0.0, deadline - time.monotonic()))
                    call(stub, timeout=seconds_max, metadata=self._connection.metadata())
                except Exception as error:  # noqa: BLE001  # also the token's, which is the caller's code
                    failure = failure_of(error)
                else:
                    return
                delay = failure.delay_seconds(tries)
                tries += 1
                if not failure.is_retried or time.monotonic() + delay > deadline:
                    raise BatchNotChanged(failure.reason or failure.code.name, failure.message)
                time.sleep(delay)
