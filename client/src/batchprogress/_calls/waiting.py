"""Tells a person that a watch waits for its server."""

import logging

from batchprogress._calls.call_errors import Subject
from batchprogress._grpc.retry import Failure

FAILURES_MIN = 2
"""From this failure in a row on, a watch waits: a server that is replaced cuts one stream, not the next."""

_log = logging.getLogger("batchprogress")


class Waiting:
    """Is told how the streams of a watch end, and says nothing."""

    def failed(self, failure: Failure) -> None:
        """Note that a stream or a call has failed, and that there will be another one."""

    def answered(self) -> None:
        """Note that the server has answered."""


class LoggedWaiting(Waiting):
    """Logs once that a watch waits, and once that it goes on.

    Args:
        subject: the watch.

    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._failures = 0

    def failed(self, failure: Failure) -> None:
        """Log the second failure in a row."""
        self._failures += 1
        if self._failures == FAILURES_MIN:
            _log.warning("%s waits for an answer: %s", self._subject, failure.cause)

    def answered(self) -> None:
        """Log that the watch goes on, if it was logged that it waits."""
        if self._failures >= FAILURES_MIN:
            _log.info("%s goes on", self._subject)
        self._failures = 0
