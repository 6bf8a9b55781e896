"""What of a caller's headers is passed on to the progress server, and with whose token."""

import time
from collections.abc import Callable, Mapping

import grpc
import structlog

from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import Answer, to_answer

PASSED_ON = ("authorization", "x-request-id")
"""The headers of a caller that the progress server gets."""
TOLD_AGAIN_SECONDS = 60.0
"""The interval of log lines about the gateway's own token: each read meets the same problem."""
Metadata = tuple[tuple[str, str], ...]


_log = structlog.get_logger()


class Callers:
    """Decides with whose token a call is made.

    Args:
        own_token: returns the gateway's own token; None: there is none.
        reads_anonymously: whether callers without a token read with it.

    """

    def __init__(self, own_token: Callable[[], str] | None, *, reads_anonymously: bool = True) -> None:
        self._own_token = own_token
        self._reads_anonymously = reads_anonymously
        self._told_at = -TOLD_AGAIN_SECONDS

    def metadata(self, headers: Mapping[str, str], *, is_read: bool) -> Metadata:
        """Return the metadata of a call.

        Args:
            headers: the headers of the request.
            is_read: whether the method only reads.

        Raises:
            Answer: the gateway's own token cannot be read.

        """
        passed = tuple((name, value) for name in PASSED_ON if (value := headers.get(name)) is not None)
        if not is_read or not self._reads_anonymously or "authorization" in headers:
            return passed
        return (*passed, *self.own_metadata())

    def own_metadata(self) -> Metadata:
        """Return the metadata of a call that the gateway makes for itself.

        Raises:
            Answer: the gateway's own token cannot be read.

        """
        if self._own_token is None:
            return ()
        try:
            return (("authorization", f"Bearer {self._own_token()}"),)
        except ValueError as error:
            self._tell("cannot use the token file", str(error))
            message = "the gateway cannot read its own token: its operator should check its log"
            raise to_answer(Refusal(grpc.StatusCode.UNAVAILABLE, "TOKEN_UNREADABLE", message)) from error

    def own_token_refused(self, reason: str) -> Answer:
        """Return the answer to a caller that was let in, but for whom the gateway may not ask.

        Args:
            reason: the sentence of the server, for the log.

        """
        self._tell("the progress server refuses the gateway's own token", reason)
        message = "the gateway's own token may not read batches: its operator should check its log"
        return to_answer(Refusal(grpc.StatusCode.UNAVAILABLE, "TOKEN_REFUSED", message))

    def _tell(self, event: str, reason: str) -> None:
        now = time.monotonic()
        if now - self._told_at >= TOLD_AGAIN_SECONDS:
            self._told_at = now
            _log.warning(event, reason=reason)
