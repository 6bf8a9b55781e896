"""What of a caller's headers is passed on to the progress server, and with whose token."""

import time
from collections.abc import Callable

import grpc
import structlog
from connectrpc.request import Headers

from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import to_answer

PASSED_ON = ("authorization", "x-request-id")
"""The headers of a caller that the progress server gets."""
TOLD_AGAIN_SECONDS = 60.0
"""The interval of log lines about the gateway's own token: each read meets the same problem."""
Metadata = tuple[tuple[str, str], ...]


_log = structlog.get_logger()


class Callers:
    """Decides with whose token a call is made.

    Args:
        own_token: returns the gateway's own token for the reads of callers without one; None: there is none.

    """

    def __init__(self, own_token: Callable[[], str] | None) -> None:
        self._own_token = own_token
        self._told_at = -TOLD_AGAIN_SECONDS

    def metadata(self, headers: Headers, *, is_read: bool) -> Metadata:
        """Return the metadata of a call.

        Args:
            headers: the headers of the request.
            is_read: whether the method only reads.

        Raises:
            Answer: the gateway's own token cannot be read.

        """
        passed = tuple((name, value) for name in PASSED_ON if (value := headers.get(name)) is not None)
        if not is_read or self._own_token is None or "authorization" in headers:
            return passed
        try:
            return (*passed, ("authorization", f"Bearer {self._own_token()}"))
        except ValueError as error:
            self._tell(str(error))
            message = "the gateway cannot read its own token: its operator should check its log"
            raise to_answer(Refusal(grpc.StatusCode.UNAVAILABLE, "TOKEN_UNREADABLE", message)) from error

    def _tell(self, reason: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= TOLD_AGAIN_SECONDS:
            self._told_at = now
            _log.warning("cannot use the token file", reason=reason)
