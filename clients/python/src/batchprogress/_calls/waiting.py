"""Tells a person that a watch waits for its server."""

import logging

from batchprogress._calls.call_errors import Subject
from batchprogress._grpc.outage import Outage
from batchprogress._grpc.retry import Failure

_log = logging.getLogger("batchprogress")


class Waiting:
    """Is told how the streams of a watch end, and says nothing."""

    def failed(self, failure: Failure, now: float) -> None:
        """Note that a stream or a call has failed at a time (seconds), and that another one follows."""

    def answered(self) -> None:
        """Note that the server has answered."""


class LoggedWaiting(Waiting):
    """Logs once that a watch waits for long, and once that it goes on.

    Args:
        subject: the watch.

    """

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._outage = Outage()

    def failed(self, failure: Failure, now: float) -> None:
        """Log the cause once the server has not answered for long."""
        if self._outage.failed(now):
            _log.warning("%s waits for an answer: %s", self._subject, failure.cause)

    def answered(self) -> None:
        """Log that the watch goes on, if it was logged that it waits."""
        if self._outage.answered():
            _log.info("%s goes on", self._subject)
