"""Batches: creates batches and logs failed calls. Deprecated: use Client, or the integrations' `batches`."""

import logging
from collections.abc import Mapping

from batchprogress._calls import requests
from batchprogress._calls.attempts import CALL_SECONDS_MAX, Patience
from batchprogress._calls.caller import Caller
from batchprogress._calls.requests import Call
from batchprogress._grpc.connection import Connection, Credentials, Token
from batchprogress._grpc.retry import MISCONFIGURED_CODES, RETRIED_CODES, failure_of
from batchprogress.errors import BatchNotChanged
from batchprogress.models import Batch

_log = logging.getLogger("batchprogress")


class Batches:
    """Creates batches, adds jobs to them and seals them, before the jobs are enqueued.

    Each call waits for its answer, is tried again until it has one, and returns whether it was done.
    What fails is logged: enqueue the jobs anyway. Reports of a batch that does not exist are dropped; once it
    is created (`batchprogress create`), the reconciler takes its results from the queue. A call may be made
    again with the same arguments, for example by a program that was killed: it changes nothing twice.

    Args:
        target: host:port, or any gRPC name.
        credentials: TLS, from TlsFiles or grpc.ssl_channel_credentials(). Default: plaintext.
        token: a bearer token, or a function that returns the current one.
        strict: whether to raise BatchNotChanged instead of logging.
        answer_seconds_max: how long a call may take with all its tries, in seconds.

    """

    def __init__(
        self,
        target: str,
        *,
        credentials: Credentials | None = None,
        token: Token | None = None,
        strict: bool = False,
        answer_seconds_max: float = CALL_SECONDS_MAX,
    ) -> None:
        self._connection = Connection(target, credentials, token)
        self._strict = strict
        # A wrong token too: while the program waits, it may be replaced.
        self._patience = Patience(answer_seconds_max, retried_codes=RETRIED_CODES | MISCONFIGURED_CODES)

    def create(
        self,
        batch_id: str,
        total_jobs: int,
        *,
        sealed: bool = True,
        display_name: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> bool:
        """Create a batch, as `Client.create`; return whether that was done.

        Raises:
            BatchNotChanged: only if strict: BATCH_CONFLICT, or no answer.

        """
        return self._done(
            requests.create(batch_id, total_jobs, sealed=sealed, display_name=display_name, labels=labels)
        )

    def add_jobs(self, batch_id: str, additional_jobs: int, request_id: str) -> bool:
        """Add jobs to an unsealed batch, once for each request_id; return whether that was done.

        Raises:
            BatchNotChanged: only if strict: BATCH_SEALED, BATCH_NOT_FOUND, or no answer.

        """
        return self._done(requests.add_jobs(batch_id, additional_jobs, request_id))

    def seal(self, batch_id: str) -> bool:
        """Declare that no more jobs will be added; return whether that was done.

        Raises:
            BatchNotChanged: only if strict: BATCH_NOT_FOUND, or no answer.

        """
        return self._done(requests.seal(batch_id))

    def _done(self, call: Call[Batch]) -> bool:
        # A connection for each call: programs that enqueue fork, and gRPC's threads would not survive that.
        caller = Caller(self._connection, self._patience)
        try:
            caller.answer(call)
        except Exception as error:
            # Also what the caller's own token function raises: no job waits for its progress.
            failure = failure_of(error.__cause__ or error)
            reason = failure.reason or failure.code.name
            if self._strict:
                raise BatchNotChanged(reason, failure.message) from error
            _log.warning("batch %s was not changed: %s: %s", call.batch_id, reason, failure.message)
            return False
        finally:
            caller.close()
        return True
