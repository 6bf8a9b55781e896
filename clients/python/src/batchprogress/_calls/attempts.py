"""When a call is tried again, and when it has failed. Pure: the clock is passed in."""

from dataclasses import dataclass
from typing import Any

from batchprogress._calls.call_errors import Subject, refused, unavailable
from batchprogress._calls.requests import Call
from batchprogress._grpc.retry import TRY_SECONDS_MAX, Failure

CALL_SECONDS_MAX = 10.0
"""How long a call may take by default: a restarted server is back by then, and a person still waits."""
LAST_TRY_SECONDS_MIN = 0.1
"""The least time for a try: a server that is there answers within it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and whether it is tried again."""

    seconds_max: float = CALL_SECONDS_MAX
    """All tries together."""
    retry: bool = True
    """Whether there is more than one try."""


class Attempts:
    """The tries of one call."""

    def __init__(self, target: str, call: Call[Any], patience: Patience, started: float) -> None:
        self._call = call
        self.subject = Subject(target, call.method, call.batch_id)
        self._patience = patience
        self._started = started
        self._deadline = started + patience.seconds_max
        self._tries = 0
        self._lacked_status = False

    def seconds_left(self, now: float) -> float:
        """Return how many seconds the next try may take."""
        return min(TRY_SECONDS_MAX, max(LAST_TRY_SECONDS_MIN, self._deadline - now))

    def read(self, response: Any, now: float) -> Any:
        """Return the answer in a response.

        Raises:
            ServerTooOld: the server has ignored what was asked for.

        """
        answer = self._call.read(response)
        if self._call.check is not None:
            self._call.check(answer, self.subject, now - self._started if self._tries else 0.0)
        return answer

    def delay_after(self, failure: Failure, now: float) -> float:
        """Return how many seconds to wait before the next try.

        Raises:
            CallFailed: there is no next try.

        """
        if self._is_final(failure):
            raise refused(self.subject, failure) from failure.error
        self._tries += 1
        left = self._deadline - LAST_TRY_SECONDS_MIN - now
        if not self._patience.retry or left < max(0.0, failure.retry_seconds):
            seconds = self._patience.seconds_max if left < 0 else now - self._started
            raise unavailable(self.subject, failure, seconds, self._tries) from failure.error
        return min(left, failure.delay_seconds(self._tries - 1))

    def _is_final(self, failure: Failure) -> bool:
        """Whether there is no other try. A page is believed when it comes twice: it may have been a cut."""
        lacked_status, self._lacked_status = self._lacked_status, failure.lacks_status
        return failure.is_refusal or (lacked_status and failure.lacks_status)
